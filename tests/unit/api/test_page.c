/* SPDX-License-Identifier: Apache-2.0
 *
 * Which descriptors are taken for a change page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static int
memory_of(size_t size, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void
there_is_one_from_the_start_and_it_is_not_valid(void **state)
{
    struct pages pages;

    UNUSED(state);
    pages_init(&pages);
    assert_false(page_is_valid(atomic_load(&pages.current), 0));
    assert_int_equal(page_stamp(atomic_load(&pages.current), 5), PAGE_NO_STAMP);
    pages_clear(&pages);
}

static void
a_sealed_one_is_taken_and_followed(void **state)
{
    struct pages pages;
    int fd = memory_of(sizeof(struct page), F_SEAL_SHRINK);
    struct page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    const struct page *before;

    UNUSED(state);
    assert_ptr_not_equal(page, MAP_FAILED);
    page_init(page, 3);
    pages_init(&pages);
    before = atomic_load(&pages.current);
    pages_take(&pages, fd);
    assert_ptr_not_equal(atomic_load(&pages.current), before);
    assert_false(page_is_valid(atomic_load(&pages.current), 10));
    page_extend(page, 20);
    assert_true(page_is_valid(atomic_load(&pages.current), 10));
    page_change(page, 9);
    assert_int_equal(page_stamp(atomic_load(&pages.current), 9), page_stamp(page, 9));

    /* Each connection brings it; once is enough. */
    for (unsigned i = 0; i < 10; i++) {
        pages_take(&pages, fd);
    }
    assert_int_equal(pages.count, 1);
    close(fd);
    assert_true(page_is_valid(atomic_load(&pages.current), 10));
    pages_clear(&pages);
    munmap(page, sizeof *page);
}

static void
one_of_an_older_daemon_is_taken_and_is_never_calm(void **state)
{
    struct pages pages;
    int fd = memory_of(PAGE_LEN_MIN, F_SEAL_SHRINK);

    UNUSED(state);
    pages_init(&pages);
    pages_take(&pages, fd);
    assert_int_equal(pages.count, 1);
    assert_false(page_is_calm(atomic_load(&pages.current), 0));
    close(fd);
    pages_clear(&pages);
}

static void
what_is_no_page_is_not_taken(void **state)
{
    struct pages pages;
    int ends[2];
    const int fds[] = {
        memory_of(sizeof(struct page), F_SEAL_GROW),      /* may shrink */
        memory_of(PAGE_LEN_MIN - 1, F_SEAL_SHRINK), /* short */
        memory_of(0, F_SEAL_SHRINK),
        open("/dev/zero", O_RDONLY | O_CLOEXEC),
        open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
        -1,
    };

    UNUSED(state);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pages_init(&pages);
    for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
        pages_take(&pages, fds[i]);
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    pages_take(&pages, ends[0]);
    assert_int_equal(pages.count, 0);
    assert_false(page_is_valid(atomic_load(&pages.current), 0));
    close(ends[0]);
    close(ends[1]);
    pages_clear(&pages);
}

static void
there_is_an_end_to_it(void **state)
{
    static struct pages pages;
    const struct page *last;

    UNUSED(state);
    pages_init(&pages);
    for (unsigned i = 0; i < PAGES_MAX; i++) {
        int fd = memory_of(sizeof(struct page), F_SEAL_SHRINK);

        pages_take(&pages, fd);
        close(fd);
        assert_int_equal(pages.count, i + 1);
    }
    last = atomic_load(&pages.current);

    int fd = memory_of(sizeof(struct page), F_SEAL_SHRINK);

    pages_take(&pages, fd);
    close(fd);
    assert_int_equal(pages.count, PAGES_MAX);
    assert_ptr_equal(atomic_load(&pages.current), last);
    pages_clear(&pages);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_one_from_the_start_and_it_is_not_valid),
        cmocka_unit_test(a_sealed_one_is_taken_and_followed),
        cmocka_unit_test(one_of_an_older_daemon_is_taken_and_is_never_calm),
        cmocka_unit_test(what_is_no_page_is_not_taken),
        cmocka_unit_test(there_is_an_end_to_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
