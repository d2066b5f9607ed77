/* The names of faults, in the order of enum fault. */
#include "wire/fault.h"

static const char *const names[] = {
    [FAULT_NONE] = "none",
    [FAULT_SHORT] = "too short",
    [FAULT_VERSION] = "version",
    [FAULT_HDR_LEN] = "header length",
    [FAULT_TOTAL_LEN] = "total length",
    [FAULT_CSUM] = "checksum",
    [FAULT_OPT_LEN] = "option length",
    [FAULT_OPT_COUNT] = "too many options",
    [FAULT_TYPE] = "type",
    [FAULT_CODE] = "code",
    [FAULT_ADDR] = "address",
    [FAULT_ADDR_LEN] = "address length",
    [FAULT_COUNT] = "count",
    [FAULT_NAME] = "name",
    [FAULT_MAGIC] = "constant",
    [FAULT_FCS] = "frame check sequence",
    [FAULT_ESCAPE] = "escape",
};

static_assert(ARRAY_LEN(names) == FAULT_N, "every fault has a name");

const char *fault_text(uint8_t fault)
{
    return fault < FAULT_N ? names[fault] : "unknown";
}
