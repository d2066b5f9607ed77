/* The driver as it is built where libxdp's headers are not. */
#define ORIEL_WITHOUT_XDP
#define drv_xdp drv_xdp_without
extern const struct drv_kind drv_xdp_without;
#include "host/drv_xdp.c"

#include "test.h"

TEST("built without libxdp, the kind says so at use, what it lacks, and what does the same")
{
    struct drv_spec s;
    char error[DRV_ERROR_MAX];
    EXPECT(!drv_xdp_without.available(error));
    EXPECT(strstr(error, "built without") && strstr(error, "libxdp-dev"));
    EXPECT(drv_spec_parse(&s, "xdp:eth1", error));
    EXPECT(drv_xdp_without.open(&s, error) == NULL);
    EXPECT(strstr(error, "xdp:eth1") && strstr(error, "built without") && strstr(error, "--link packet:"));
}
