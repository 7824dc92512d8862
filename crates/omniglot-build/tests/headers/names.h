#ifndef NAMES_H
#define NAMES_H

/** Matches [one] <b>pattern</b>.
 *
 *     code();
 *
 * @param type see http://example.com
 */
int match(int type, int self, int frame);
int read(int fd);
int Names(int x);
typedef struct Api { int in; int _; } Api;
int use_api(Api *api);
enum { total };
int count(int total);
int address_of_level(int x);
extern int level;
#endif
