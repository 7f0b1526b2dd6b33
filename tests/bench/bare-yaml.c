/* The yardstick of `holdback check`: libyaml's own document tree of a file, and nothing else. */
#include <stdio.h>
#include <yaml.h>

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    yaml_parser_t parser;
    yaml_document_t document;

    if (file == NULL || !yaml_parser_initialize(&parser)) {
        fprintf(stderr, "usage: bare-yaml FILE\n");
        return 2;
    }
    yaml_parser_set_input_file(&parser, file);
    if (!yaml_parser_load(&parser, &document)) {
        fprintf(stderr, "bare-yaml: line %zu: %s\n", parser.problem_mark.line + 1, parser.problem);
        return 1;
    }
    printf("%td nodes\n", document.nodes.top - document.nodes.start);
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    return fclose(file);
}
