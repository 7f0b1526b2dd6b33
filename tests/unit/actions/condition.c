/* Conditions on a real host: sources, comparisons, and the words for a person. */
#include "condition.h"
#include "action_test.h"

static struct condition_result result;

static struct error *evaluate(const char *condition)
{
    const struct plan *plan =
        a_plan(arena_printf(&arena, "- {id: s, hosts: one, wait-until: %s}\n", condition));
    struct work work = a_work(plan, "s");
    result = (struct condition_result){0};
    return condition_evaluate(&work, work.step->params, &result);
}

static void is_so(const char *condition, bool is_true, const char *words)
{
    struct error *error = evaluate(condition);
    if (error != NULL)
        fail_msg("%s", error_text(&arena, error));
    assert_int_equal(result.is_true, is_true);
    if (words == NULL)
        assert_null(result.words);
    else
        assert_string_equal(result.words, words);
}

static void a_shell_text_is_true_or_not_or_cannot_look(void **state)
{
    (void)state;
    is_so("{shell: 'exit 0'}", true, NULL);
    is_so("{shell: 'exit 1'}", false, "exit status 1");
    is_so("{shell: 'test \"$word\" = w'}", true, NULL);

    struct error *error = evaluate("{shell: 'echo no such thing >&2; exit 3'}");
    assert_string_equal(error->message, "could not look: exit status 3: no such thing");
    assert_int_equal(error->place.line, 7);
}

static void its_output_is_compared(void **state)
{
    (void)state;
    is_so("{shell: 'echo paused', is: paused}", true, "paused");
    is_so("{shell: 'echo pending', is: paused}", false, "pending, not paused");
    is_so("{shell: 'echo 12582912', below: 10MB}", false, "12582912, not below 10MB");
    is_so("{shell: 'echo 12582912', above: 10MB}", true, "12582912");
    is_so("{shell: 'echo 59', below: 1m}", true, "59");
    is_so("{shell: 'echo 7', above: \"${number}\"}", true, "7");
    is_so("{shell: 'echo', is: paused}", false, "no value");
    is_so("{shell: 'exit 1', below: 5}", false, "exit status 1");

    struct error *error = evaluate("{shell: 'echo many', below: 5}");
    assert_string_equal(error->message, "value \"many\" is not a number");
}

static void a_file_is_there_or_holds_a_text(void **state)
{
    (void)state;
    const char *path = a_file("log");
    server_write(server, "log", "one\nrecovery stopping at \"[a]\"\n", 0600);
    is_so(arena_printf(&arena, "{file: %s}", path), true,
          arena_printf(&arena, "there is a file \"%s\"", path));
    is_so(arena_printf(&arena, "{file: %s, contains: 'stopping at \"[a]\"'}", path), true,
          arena_printf(&arena, "found in \"%s\"", path));
    is_so(arena_printf(&arena, "{file: %s, contains: '-e'}", path), false,
          arena_printf(&arena, "not found in \"%s\"", path));
    is_so(arena_printf(&arena, "{file: %s.missing, contains: one}", path), false,
          arena_printf(&arena, "no file \"%s.missing\"", path));
}

static void a_port_accepts_connections_or_not(void **state)
{
    (void)state;
    is_so(arena_printf(&arena, "{port: %d}", server->port), true, "accepts connections");
    is_so(arena_printf(&arena, "{port: %d}", free_port()), false, "accepts no connections");
}

static void a_server_that_is_down_is_not_true_and_no_error(void **state)
{
    (void)state;
    server->settings.postgres.reach = "tcp";
    server->settings.postgres.user = server->settings.postgres.database = "postgres";
    server->settings.postgres.socket_directory = server->folder;
    server->settings.postgres.port = free_port();
    is_so("{sql: SELECT true}", false, "no answer: the server is not running");
}

static void numbers_are_told_in_their_unit(void **state)
{
    (void)state;
    assert_string_equal(condition_words(&arena, "512", "bytes"), "512 bytes");
    assert_string_equal(condition_words(&arena, "12582912", "bytes"), "12 MB");
    assert_string_equal(condition_words(&arena, "-12582912", "bytes"), "-12 MB");
    assert_string_equal(condition_words(&arena, "59", "seconds"), "59 s");
    assert_string_equal(condition_words(&arena, "185", "seconds"), "3 min 5 s");
    assert_string_equal(condition_words(&arena, "7500", "seconds"), "2 h 5 min");
    assert_string_equal(condition_words(&arena, "3", "rows"), "3 rows");
    assert_string_equal(condition_words(&arena, "much", "bytes"), "much bytes");
}

static void sizes_and_durations_are_numbers(void **state)
{
    (void)state;
    double number;
    assert_true(condition_number(&arena, "64MB", &number));
    assert_true(number == 67108864.0);
    assert_true(condition_number(&arena, "1500ms", &number));
    assert_true(number == 1.5);
    assert_true(condition_number(&arena, "-0.25", &number));
    assert_true(number == -0.25);
    assert_false(condition_number(&arena, "", &number));
    assert_false(condition_number(&arena, "0x10", &number));
    assert_false(condition_number(&arena, "1e999", &number));
    assert_false(condition_number(&arena, "nan", &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shell_text_is_true_or_not_or_cannot_look),
        cmocka_unit_test(its_output_is_compared),
        cmocka_unit_test(a_file_is_there_or_holds_a_text),
        cmocka_unit_test(a_port_accepts_connections_or_not),
        cmocka_unit_test(a_server_that_is_down_is_not_true_and_no_error),
        cmocka_unit_test(numbers_are_told_in_their_unit),
        cmocka_unit_test(sizes_and_durations_are_numbers),
    };

    return cmocka_run_group_tests(tests, open_server, close_server);
}
