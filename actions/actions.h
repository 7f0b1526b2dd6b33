/* The actions, each in a file of its own; all.c lists them. */
#ifndef ACTIONS_ACTIONS_H
#define ACTIONS_ACTIONS_H

#include "action.h"

extern const struct action sql_action, patroni_action, edit_conf_action, remote_shell_action,
    wait_until_action;

#endif
