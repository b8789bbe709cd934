/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: what the HSM is, and what its codes mean.
 */
#include "tools/util.h"

#include "tools/code.h"
#include "tools/file.h"
#include "tools/version.h"

#include <stdlib.h>

/* Prints the lines; they borrow from the reply. */
static CK_RV
token_read(struct util *util, void (*show)(struct util *util, const struct token_reply *token))
{
    struct token_reply token;
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        rv = call_send(&call, OPERATION_TOKEN, 0, 0);
    }
    if (rv == CKR_OK && !token_reply_read(call.reply, &token)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        show(util, &token);
    }
    call_end(&call);
    return rv;
}

static void
line(const char *name, view value)
{
    printf("\t\t%-24s: %.*s\n", name, (int)value.len, (const char *)value.data);
}

static void
hsm_show(struct util *util, const struct token_reply *token)
{
    printf("\n\tHSM Info\n\n");
    line("Label", token->label);
    line("Model", token->model);
    line("Serial Number", token->serial);
    printf("\t\t%-24s: %u [%s]\n", "FIPS state", token->policy == POLICY_FIPS ? 2u : 0u,
           token->policy == POLICY_FIPS ? "FIPS mode with single factor authentication"
                                        : "Non FIPS mode");
    line("Manufacturer ID", VIEW_TEXT("OpenCloudHSM"));
    line("Firmware Version", token->firmware);
    util_json(util,
              json_pack("{s:o, s:o, s:o, s:o, s:I, s:s}", "label", util_json_text(token->label),
                        "model", util_json_text(token->model), "serial",
                        util_json_text(token->serial), "firmware",
                        util_json_text(token->firmware), "fips_state",
                        (json_int_t)(token->policy == POLICY_FIPS ? 2 : 0), "policy",
                        policy_name((enum policy)token->policy)));
}

static void
partition_show(struct util *util, const struct token_reply *token)
{
    printf("\n\tPartition Info\n\n");
    line("Name", VIEW_TEXT("PARTITION_1"));
    line("Label", token->label);
    line("Serial Number", token->serial);
    line("Policy", view_str(policy_name((enum policy)token->policy)));
    line("Switches", token->switches);
    util_json(util,
              json_pack("{s:s, s:o, s:o, s:s, s:o}", "name", "PARTITION_1", "label",
                        util_json_text(token->label), "serial", util_json_text(token->serial),
                        "policy", policy_name((enum policy)token->policy), "switches",
                        util_json_text(token->switches)));
}

enum status
util_hsm_info(void *tool, const struct values *values)
{
    UNUSED(values);
    return util_returned("Cfm3GetHSMInfo", token_read(tool, hsm_show));
}

enum status
util_partition_info(void *tool, const struct values *values)
{
    UNUSED(values);
    return util_returned("Cfm3GetPartitionInfo", token_read(tool, partition_show));
}

enum status
util_get_cert(void *tool, const struct values *values)
{
    struct util *util = tool;
    const struct cert_get_request request = { values_number(values, "-s", 0) };
    const char *path = values_text(values, "-f");
    struct cert_get_reply reply;
    struct call call;
    bool written = true;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        cert_get_request_write(call.body, &request);
        rv = call_send(&call, OPERATION_CERT_GET, 0, 0);
    }
    if (rv == CKR_OK && !cert_get_reply_read(call.reply, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        written = file_write(path, reply.certificate);
    }
    call_end(&call);

    const struct code *code = code_of(rv);

    printf("\n\tCfm3GetCert() returned %x :%s: %s\n", (unsigned)code->shown, code->class,
           code->text);
    return rv == CKR_OK && written ? STATUS_DONE : STATUS_REFUSED;
}

enum status
util_error_text(void *tool, const struct values *values)
{
    struct util *util = tool;
    const uint32_t number = values_number(values, "-r", 0);
    const struct code *code = code_by_shown(number);

    if (code == NULL) {
        printf("\n\tError Code %x is not known\n", (unsigned)number);
        return STATUS_REFUSED;
    }
    printf("\n\tError Code %x maps to %s: %s.\n", (unsigned)number, code->class, code->text);
    util_json(util, json_pack("{s:I, s:s, s:s}", "code", (json_int_t)number, "class", code->class,
                              "text", code->text));
    return STATUS_DONE;
}
