/* SPDX-License-Identifier: MIT */
/* Events for programs, as lines of JSON. */
#ifndef DEMO_LOG_H
#define DEMO_LOG_H

void log_open(void);
void log_close(void);
/* One line: its event, then the rest of the object's text. */
__attribute__((format(printf, 2, 3)))
void log_event(const char *event, const char *format, ...);
/* Text from outside goes to terminals and into JSON: what could spoil these becomes '?'. */
void log_plain(char *text);

#endif
