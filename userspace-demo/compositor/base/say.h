/* SPDX-License-Identifier: MIT */
/* Lines for the person who watches. */
#ifndef DEMO_SAY_H
#define DEMO_SAY_H

/* One line, with the time since the first. It is lost if nobody takes it now. */
__attribute__((format(printf, 1, 2)))
void say(const char *format, ...);

#endif
