/* SPDX-License-Identifier: Apache-2.0
 *
 * The library's socket for writing, with one thing more: while more is to follow, the kernel keeps
 * what is less than a packet back. So the records of a large output leave together, and the peer
 * is woken for all of them once.
 */
#include "net/tls_private.h"

#include <pthread.h>
#include <sys/socket.h>

static pthread_once_t made = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

static int
socket_write(BIO *bio, const char *data, int len)
{
    const int more = BIO_get_app_data(bio) != NULL ? MSG_MORE : 0;
    ssize_t sent;
    int fd = -1;

    BIO_get_fd(bio, &fd);
    sent = send(fd, data, (size_t)len, MSG_NOSIGNAL | more);
    BIO_clear_retry_flags(bio);
    if (sent <= 0 && BIO_sock_should_retry((int)sent)) {
        BIO_set_retry_write(bio);
    }
    return (int)sent;
}

static void
method_make(void)
{
    const BIO_METHOD *socket = BIO_s_socket();

    method = BIO_meth_new(BIO_TYPE_SOCKET, "link");
    if (method != NULL &&
        (BIO_meth_set_write(method, socket_write) != 1 ||
         BIO_meth_set_read(method, BIO_meth_get_read(socket)) != 1 ||
         BIO_meth_set_ctrl(method, BIO_meth_get_ctrl(socket)) != 1 ||
         BIO_meth_set_create(method, BIO_meth_get_create(socket)) != 1 ||
         BIO_meth_set_destroy(method, BIO_meth_get_destroy(socket)) != 1)) {
        BIO_meth_free(method);
        method = NULL;
    }
}

bool
tls_socket(SSL *ssl, int fd)
{
    BIO *bio;

    pthread_once(&made, method_make);
    bio = method == NULL ? NULL : BIO_new(method);
    if (bio == NULL) {
        return false;
    }
    BIO_set_fd(bio, fd, BIO_NOCLOSE);
    SSL_set_bio(ssl, bio, bio);
    return true;
}

void
tls_more(SSL *ssl, bool more)
{
    static char mark;

    BIO_set_app_data(SSL_get_wbio(ssl), more ? &mark : NULL);
}
