/* The groups of the suite, a file each; each runs and returns how many of its tests failed. */
#pragma once

int suite_users(void);	/* keys, what all workers know, and the commands that change both */
int suite_hostile(void); /* names that would be syntax to somebody careless */
int suite_leases(void); /* allocations that are counted over nodes */
int suite_counts(void); /* usage and records, once */
int suite_first(void); /* before the first connection, and the end of it */
int suite_trouble(void); /* databases that go, hang, fill up and refuse */
int suite_failover(void); /* a master that dies, and the one that follows it */
int suite_coturn(void); /* a database that coturn made and filled */
