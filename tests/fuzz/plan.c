/* Any bytes as a plan: whatever they are, reading and checking them must end well. */
#include "plan/schema.h"
#include "plan/yaml.h"

#include <stdlib.h>

static struct arena schema_arena;
static const struct schema *schema;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    CLEANUP(arena_release) struct arena arena = {NULL};
    struct findings findings = {.arena = &arena};

    if (schema == NULL && schema_load(&schema_arena, "plan.schema.json", &schema) != NULL)
        abort();

    const struct node *root =
        yaml_parse(&arena, "plan.yml", (const char *)bytes, length, &findings);

    // A document that cannot be read must not go without a word.
    if (root == NULL && findings.error_count == 0)
        abort();
    if (root != NULL)
        schema_check(schema, "plan.yml", root, &findings, NULL);
    findings_sort(&findings);
    return 0;
}
