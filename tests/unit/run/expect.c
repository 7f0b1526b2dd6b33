/* What a saved preview rests on, against what is so now. */
#include "scripted.h"

static const char deploy[] = "deploy:\n" STEP("mark", "leader", "") STEP("fence", "leader", "")
    STEP("hold", "held", "") "  - {id: edit, hosts: [pg1, pg2], edit-conf: {file: /etc/x, format: "
                             "ini, set: {a: b}}}\n"
                             "  - {id: pause, hosts: pg1, patroni: {maintenance: true}}\n"
                             "  - {id: wait, hosts: pg1, wait-until: {file: /x}}\n"
                             "  - {id: late, hosts: pg1, remote-shell: {run: x, creates: /x}}\n";

static struct patroni_member members[3];
static struct patroni_cluster cluster;
static struct preview_item items[16];
static size_t item_count;
static struct live now;
static const struct node *facts; /* of the preview that was saved */

static const struct node *json(const char *text)
{
    const struct node *node;

    assert_null(json_parse(&scene.arena, "a test", text, strlen(text), &node));
    return node;
}

static struct preview_item *looked(const char *step, const char *host, enum look look)
{
    struct preview_item *item = &items[item_count++];

    *item = (struct preview_item){
        .step = plan_find_step(scene.run.plan, step), .host = host, .look = look};
    assert_non_null(item->step);
    if (item_count > 1)
        items[item_count - 2].next = item;
    return item;
}

static struct preview_item *item_of(const char *step, const char *host)
{
    for (size_t at = 0; at < item_count; at++) {
        if (equal(items[at].step->id, step) && equal(items[at].host, host))
            return &items[at];
    }
    fail();
    return NULL;
}

/* pg1 leads; every step would change something. So it is saved, and is now until a test says. */
static void look_now(void)
{
    CLEANUP(text_release) struct text text = {0};
    static const char digest[] = "11";

    begin(deploy);
    item_count = 0;
    for (int at = 0; at < 3; at++)
        members[at] = (struct patroni_member){.name = arena_printf(&scene.arena, "pg%d", at + 1),
                                              .role = at == 0 ? "leader" : "replica",
                                              .state = "running",
                                              .timeline = 4,
                                              .is_leader = at == 0};
    cluster = (struct patroni_cluster){.members = members, .count = 3, .leader = &members[0]};
    looked("mark", "pg1", LOOK_WOULD_CHANGE);
    looked("fence", "pg1", LOOK_WOULD_CHANGE);
    looked("hold", "pg3", LOOK_WOULD_CHANGE);
    looked("edit", "pg1", LOOK_WOULD_CHANGE)->file = "/etc/x";
    looked("edit", "pg2", LOOK_ALREADY)->file = "/etc/x";
    looked("pause", "pg1", LOOK_WOULD_CHANGE)->change = "off -> on";
    looked("wait", "pg1", LOOK_WOULD_CHANGE);
    looked("late", "pg1", LOOK_UNKNOWN);
    item_of("edit", "pg1")->digest = item_of("edit", "pg2")->digest = digest;
    now = (struct live){.items = items,
                        .members = &cluster,
                        .system_identifier = "7",
                        .versions = json("{\"pg1\":150018}"),
                        .roles = json("{\"leader\":[\"pg1\"],\"held\":[\"pg3\"]}")};
    live_append_json(&text, &now);
    facts = json(text_copy(&text, &scene.arena));
}

/* "" or what is told, without what stands around it. */
static const char *differences(void)
{
    const struct error *error = expect_compare(&scene.run, "p.json", facts, &now);
    static const char head[] = "the cluster is not as preview \"p.json\" found it:\n  ";

    if (error == NULL)
        return "";
    assert_int_equal(error->kind, ERROR_REFUSED);
    assert_memory_equal(error->message, head, sizeof head - 1);
    return error->message + sizeof head - 1;
}

static void what_is_as_it_was_is_no_difference(void **state)
{
    (void)state;
    look_now();
    assert_string_equal(differences(), "");
}

static void a_leader_that_moved_names_the_steps_that_act_elsewhere(void **state)
{
    (void)state;
    look_now();
    members[0].role = "replica";
    members[0].is_leader = false;
    members[1].role = "leader";
    members[1].is_leader = true;
    members[1].timeline = 5;
    cluster.leader = &members[1];
    now.roles = json("{\"leader\":[\"pg2\"],\"held\":[\"pg3\"]}");
    item_of("mark", "pg1")->host = item_of("fence", "pg1")->host = "pg2";
    assert_string_equal(differences(),
                        "leader moved pg1 -> pg2: steps mark and fence now act on another host\n"
                        "  the timeline is 5, was 4: a server was promoted since");
}

static void another_cluster_is_told(void **state)
{
    (void)state;
    look_now();
    now.system_identifier = "8";
    cluster.is_maintenance = true;
    cluster.leader = NULL;
    cluster.count = 2;
    members[1].state = "stopped";
    members[1].has_pending_restart = true;
    now.versions = json("{\"pg1\":150019}");
    assert_string_equal(differences(),
                        "the system identifier is 8, was 7: every step acts on another cluster\n"
                        "  the leader moved pg1 -> nobody\n"
                        "  the timeline is 0, was 4: a server was promoted since\n"
                        "  maintenance mode is on, was off\n"
                        "  member pg2 is \"stopped\", was \"running\"\n"
                        "  a restart of member pg2 is pending\n"
                        "  member pg3 is gone\n"
                        "  pg1 runs PostgreSQL 150019, ran 150018");
}

static void a_file_that_a_step_edits_is_compared(void **state)
{
    (void)state;
    look_now();
    item_of("edit", "pg1")->digest = "22";
    item_of("edit", "pg2")->digest = "22"; // what is so already edits nothing
    assert_string_equal(differences(), "file \"/etc/x\" on pg1 changed since the preview (edit)");
    item_of("edit", "pg1")->digest = NULL;
    assert_string_equal(differences(),
                        "file \"/etc/x\" on pg1 was removed since the preview (edit)");
}

static void a_look_that_finds_something_else_is_told(void **state)
{
    (void)state;
    look_now();
    item_of("hold", "pg3")->look = LOOK_ALREADY;
    item_of("mark", "pg1")->look = LOOK_FAILED;
    item_of("mark", "pg1")->words = "no such user";
    item_of("pause", "pg1")->change = "on -> on";
    assert_string_equal(differences(),
                        "mark on pg1: could not be looked at: no such user; was: would change\n"
                        "  hold on pg3: already so; was: would change\n"
                        "  pause on pg1 would change something else: on -> on");
}

/* A condition may be true now and then, and texts with saved values are inputs. */
static void what_differs_without_harm_is_not_compared(void **state)
{
    (void)state;
    look_now();
    item_of("wait", "pg1")->look = LOOK_ALREADY;
    item_of("late", "pg1")->look = LOOK_WOULD_CHANGE;
    item_of("mark", "pg1")->change = "SELECT '0/3000000'";
    item_of("mark", "pg1")->words = "lag 3 MB";
    assert_string_equal(differences(), "");
}

static void a_step_that_acts_elsewhere_without_its_role_is_told(void **state)
{
    (void)state;
    look_now();
    item_of("edit", "pg2")->host = "pg3";
    item_of("late", "pg1")->host = NULL;
    items[item_count - 1].words = "left out: rebuild is rewind";
    assert_string_equal(differences(),
                        "edit does not act on pg2 any more\n"
                        "  late does not act on pg1 any more: left out: rebuild is rewind\n"
                        "  edit acts on pg3 now, and did not");
}

static void long_lists_are_cut(void **state)
{
    static const char *names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};

    (void)state;
    assert_string_equal(names_words(&scene.arena, &(struct words){names, 1, 1}), "a");
    assert_string_equal(names_words(&scene.arena, &(struct words){names, 2, 2}), "a and b");
    assert_string_equal(names_words(&scene.arena, &(struct words){names, 8, 8}),
                        "a, b, c, d, e, f, g and h");
    assert_string_equal(names_words(&scene.arena, &(struct words){names, 10, 10}),
                        "a, b, c, d, e, f, g and 3 more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_is_as_it_was_is_no_difference),
        SCENE_TEST(a_leader_that_moved_names_the_steps_that_act_elsewhere),
        SCENE_TEST(another_cluster_is_told),
        SCENE_TEST(a_file_that_a_step_edits_is_compared),
        SCENE_TEST(a_look_that_finds_something_else_is_told),
        SCENE_TEST(what_differs_without_harm_is_not_compared),
        SCENE_TEST(a_step_that_acts_elsewhere_without_its_role_is_told),
        SCENE_TEST(long_lists_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
