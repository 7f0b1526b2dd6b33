/*
 * A file of the project that the program carries, byte for byte. The build makes the lists; each
 * ends with {NULL, NULL}.
 */
#ifndef BASE_EMBEDDED_H
#define BASE_EMBEDDED_H

struct embedded_file {
    const char *name; /* without its folder: "plan.schema.json" */
    const char *bytes;
};

#endif
