/*
 * One JSON object a line (NDJSON), each with the version of its shape: {"v":1,...}. What is written
 * is always valid JSON and UTF-8, whatever the bytes were: those that are no character become
 * U+FFFD.
 */
#ifndef ORIEL_CLI_JSON_H
#define ORIEL_CLI_JSON_H

#include "base/sink.h"
#include "base/text.h"

struct json {
    struct sink out;
    bool comma;         /* something stands before the next element */
};

void json_begin(struct json *j, struct sink out);   /* {"v":1 */
void json_end(struct json *j);                      /* } and a line break */

void json_str(struct json *j, const char *key, struct span value);
void json_text(struct json *j, const char *key, const char *value);
void json_u(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_hex(struct json *j, const char *key, struct span bytes);

/* Nesting; the elements of a list have the key NULL. */
void json_open(struct json *j, const char *key, char bracket);      /* '{' or '[' */
void json_close(struct json *j, char bracket);                      /* '}' or ']' */

#endif
