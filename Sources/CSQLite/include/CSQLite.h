#include "sqlite3.h"

// Swift can't call functions with variable arguments.
static inline int csqlite_set_checkpoint_at_close(sqlite3 *connection, int makes_one) {
  return sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !makes_one, (int *)0);
}
