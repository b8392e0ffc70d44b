/* output.h - results on standard output: lines for people or one JSON document. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

struct output {
    bool json;
    bool in_list;
    bool separate; /* a JSON value precedes: a comma is due */
};

/* A list holds records; a record holds fields.  A list shows in JSON only. */
void output_list_begin(struct output *out);
void output_list_end(struct output *out);
void output_record_begin(struct output *out);
void output_record_end(struct output *out);

/* NULL is null in JSON and absent from the text. */
void output_string(struct output *out, const char *key, const char *value);
void output_strings(struct output *out, const char *key, const char *const *values);
void output_number(struct output *out, const char *key, int64_t value);
void output_bool(struct output *out, const char *key, bool value);
void output_size(struct output *out, const char *key, uint64_t bytes);
/* `json` is JSON already, such as the metadata of a location. */
void output_json(struct output *out, const char *key, const char *json);
/* How long `bytes` took. */
void output_speed(struct output *out, uint64_t bytes, double seconds);

/* "1.5 GiB" */
struct human_size {
    char text[16];
};
struct human_size human_size(double bytes);

#endif
