/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: what the servers are, and by which policy they work.
 */
#include "tools/mgmt.h"

#include "rules/rules.h"

static bool
token_of(struct mgmt_server *server, view reply, struct token_reply *ret_token)
{
    UNUSED(server);
    return token_reply_read(reply, ret_token) && ret_token->policy < POLICY_COUNT;
}

static void
line(const char *name, view value)
{
    printf("\t%-24s: %.*s\n", name, (int)value.len, (const char *)value.data);
}

static json_t *
text_json(view text)
{
    json_t *json = json_stringn((const char *)text.data, text.len);

    return json == NULL ? json_string("") : json;
}

/* arg is a list for JSON, or NULL. */
static bool
info_show(void *arg, struct mgmt_server *server, view reply)
{
    struct token_reply token;

    if (!token_of(server, reply, &token)) {
        return false;
    }

    const bool fips = token.policy == POLICY_FIPS;

    if (arg != NULL) {
        json_t *entry = mgmt_json_server(server);

        json_object_set_new(entry, "label", text_json(token.label));
        json_object_set_new(entry, "model", text_json(token.model));
        json_object_set_new(entry, "serial", text_json(token.serial));
        json_object_set_new(entry, "firmware", text_json(token.firmware));
        json_object_set_new(entry, "fips_state", json_integer(fips ? 2 : 0));
        json_array_append_new(arg, entry);
        return true;
    }
    printf("*** Server %u HSM Info ***\n\n", server->number);
    line("Label", token.label);
    line("Model", token.model);
    line("Serial Number", token.serial);
    line("HSM Flags", VIEW_TEXT("0"));
    printf("\t%-24s: %d [%s]\n", "FIPS state", fips ? 2 : 0,
           fips ? "FIPS mode with single factor authentication" : "Non FIPS mode");
    line("Manufacturer ID", VIEW_TEXT("OpenCloudHSM"));
    line("Firmware ID", token.firmware);
    return true;
}

static bool
policy_show(void *arg, struct mgmt_server *server, view reply)
{
    struct token_reply token;

    if (!token_of(server, reply, &token)) {
        return false;
    }

    const char *name = policy_name((enum policy)token.policy);

    if (arg != NULL) {
        json_t *entry = mgmt_json_server(server);

        json_object_set_new(entry, "policy", json_string(name));
        json_object_set_new(entry, "switches", text_json(token.switches));
        json_array_append_new(arg, entry);
        return true;
    }
    printf("Policy on server %u(%s): %s%s%.*s\n", server->number, server->settings->hostname, name,
           token.switches.len > 0 ? " with " : "", (int)token.switches.len,
           (const char *)token.switches.data);
    return true;
}

static enum status
token_ask(struct mgmt *mgmt, const struct values *values, struct mgmt_step step)
{
    struct writer body;
    enum status status;

    step.operation = OPERATION_TOKEN;
    step.arg = values_given(values, "--json") ? json_array() : NULL;
    step.quiet = step.arg != NULL;
    writer_init(&body, MGMT_BODY_MAX);
    status = mgmt_everywhere(mgmt, &step, &body);
    writer_clear(&body);
    return step.arg == NULL ? status : mgmt_json_print(step.arg, status);
}

enum status
mgmt_hsm_info(void *tool, const struct values *values)
{
    return token_ask(tool, values,
                     (struct mgmt_step){ .command = values->command->name,
                                         .act = "asking what it is",
                                         .show = info_show });
}

enum status
mgmt_get_policy(void *tool, const struct values *values)
{
    return token_ask(tool, values,
                     (struct mgmt_step){ .command = "getPolicy",
                                         .act = "asking for the policy",
                                         .show = policy_show });
}

/* ---- another policy ---- */

static bool
policy_set_show(void *arg, struct mgmt_server *server, view reply)
{
    struct policy_set_reply answer;

    UNUSED(arg);
    UNUSED(server);
    if (!policy_set_reply_read(reply, &answer)) {
        return false;
    }
    if (answer.unusable > 0) {
        printf("%u keys have attributes that this policy refuses: they stay, and cannot be used\n",
               (unsigned)answer.unusable);
    }
    puts("The server starts anew with it; reconnect, and log in.");
    return true;
}

enum status
mgmt_set_policy(void *tool, const struct values *values)
{
    const char *switches = values_text(values, "switches");
    struct rules rules = { POLICY_AZURE, INTERFACE_P11, 0 };
    struct writer body;

    if (!policy_parse(values_text(values, "policy"), &rules.policy)) {
        fprintf(stderr, "setPolicy: %s: not azure, fips or standard\n",
                values_text(values, "policy"));
        return STATUS_MISUSED;
    }
    if (switches != NULL && !rules_switches_read(&rules, view_str(switches))) {
        fprintf(stderr, "setPolicy: %s: see \"Switches\" in docs/pkcs11.md\n", switches);
        return STATUS_MISUSED;
    }

    const struct policy_set_request request = { (uint8_t)rules.policy, view_str(switches) };
    const struct mgmt_step step = { .command = "setPolicy",
                                    .act = "setting the policy",
                                    .operation = OPERATION_POLICY_SET,
                                    .ask = ASK_ABORT,
                                    .show = policy_set_show };

    writer_init(&body, MGMT_BODY_MAX);
    policy_set_request_write(&body, &request);
    return mgmt_change(tool, &step, &body);
}
