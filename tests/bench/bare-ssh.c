/* The yardstick of steps that only look: one command per step, as postgres. See bare.h. */
#include "bare.h"

static void look(ssh_session session, int number)
{
    char output[256];

    (void)number;
    bare_command(session, "exec sudo -n -u postgres /bin/sh -c true", NULL, output, sizeof output);
}

int main(int argc, char **argv)
{
    return bare_main("bare-ssh", argc, argv, look);
}
