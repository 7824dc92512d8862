#ifndef BOOLEANS_H
#define BOOLEANS_H

typedef int gint;
/** TRUE or FALSE. */
typedef gint gboolean;
typedef unsigned char flag_t;
#define TRUE 1

struct settings { gboolean strict; flag_t flags[3]; };
gboolean invert(gboolean value, const struct settings *settings, flag_t *flag);
#endif
