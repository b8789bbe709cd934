/* SPDX-License-Identifier: Apache-2.0
 *
 * A socket as TLS reads and writes it. The library's own would do, but for one thing: while more is
 * to follow, the kernel keeps what is less than a packet back. So the records of a large output
 * leave together, and the peer is woken for all of them once.
 */
#include "net/tls_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

struct tls_socket {
    int fd; /* the caller's */
    bool more;
    bool ended; /* the peer has sent all it had */
};

static pthread_once_t made = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

static int
socket_write(BIO *bio, const char *data, int len)
{
    const struct tls_socket *s = BIO_get_data(bio);
    ssize_t sent = send(s->fd, data, (size_t)len, MSG_NOSIGNAL | (s->more ? MSG_MORE : 0));

    BIO_clear_retry_flags(bio);
    if (sent <= 0 && BIO_sock_should_retry((int)sent)) {
        BIO_set_retry_write(bio);
    }
    return (int)sent;
}

static int
socket_read(BIO *bio, char *ret_data, int len)
{
    struct tls_socket *s = BIO_get_data(bio);
    ssize_t got = recv(s->fd, ret_data, (size_t)len, 0);

    BIO_clear_retry_flags(bio);
    if (got < 0 && BIO_sock_should_retry((int)got)) {
        BIO_set_retry_read(bio);
    }
    s->ended = s->ended || got == 0;
    return (int)got;
}

/* What the library asks of a socket; 0 is its answer to whatever one does not know. */
static long
socket_control(BIO *bio, int what, long number, void *pointer)
{
    const struct tls_socket *s = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    switch (what) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return s->ended;
    default:
        return 0;
    }
}

static int
socket_destroy(BIO *bio)
{
    free(BIO_get_data(bio));
    BIO_set_data(bio, NULL);
    return 1;
}

static void
method_make(void)
{
    method = BIO_meth_new(BIO_TYPE_SOCKET, "link");
    if (method != NULL && (BIO_meth_set_write(method, socket_write) != 1 ||
                           BIO_meth_set_read(method, socket_read) != 1 ||
                           BIO_meth_set_ctrl(method, socket_control) != 1 ||
                           BIO_meth_set_destroy(method, socket_destroy) != 1)) {
        BIO_meth_free(method);
        method = NULL;
    }
}

bool
tls_socket(SSL *ssl, int fd)
{
    struct tls_socket *s;
    BIO *bio;

    pthread_once(&made, method_make);
    bio = method == NULL ? NULL : BIO_new(method);
    if (bio == NULL) {
        return false;
    }
    s = calloc(1, sizeof *s);
    if (s == NULL) {
        BIO_free(bio);
        return false;
    }
    s->fd = fd;
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return true;
}

void
tls_more(SSL *ssl, bool more)
{
    struct tls_socket *s = BIO_get_data(SSL_get_wbio(ssl));

    s->more = more;
}
