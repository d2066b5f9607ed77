#include "wire/fault.h"

#include "test.h"

TEST("every fault has a name of its own")
{
    for (unsigned i = 0; i < FAULT_N; i++) {
        EXPECT(fault_text((uint8_t)i)[0] != '\0');
        for (unsigned j = 0; j < i; j++)
            EXPECT(strcmp(fault_text((uint8_t)i), fault_text((uint8_t)j)) != 0);
    }
    EXPECT_STR(fault_text(FAULT_HDR_LEN), "header length");
    EXPECT_STR(fault_text(FAULT_N), "unknown");
    EXPECT_STR(fault_text(255), "unknown");
}
