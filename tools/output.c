/* output.c - results on standard output: lines for people or one JSON document. */
#include "output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { KEY_WIDTH = 14 };

struct human_size human_size(double bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    struct human_size size;
    unsigned unit = 0;

    while (bytes >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        bytes /= 1024;
        unit++;
    }
    snprintf(size.text, sizeof size.text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return size;
}

/* The well-formed UTF-8 sequences by first byte (the Unicode standard's table 3-7). */
static const struct {
    unsigned char first_low, first_high, second_low, second_high, length;
} utf8_forms[] = {
    {0x01, 0x7f, 0x00, 0xff, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

/* The length of the well-formed sequence at the start of the string `s`, or 0. */
static size_t utf8_length(const unsigned char *s)
{
    size_t form = 0;

    while (s[0] < utf8_forms[form].first_low || s[0] > utf8_forms[form].first_high)
        if (++form == sizeof utf8_forms / sizeof *utf8_forms)
            return 0;
    if (s[1] < utf8_forms[form].second_low || s[1] > utf8_forms[form].second_high)
        return 0;
    for (size_t i = 2; i < utf8_forms[form].length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return utf8_forms[form].length;
}

/* File names may be any bytes, JSON is UTF-8: a stray byte becomes U+FFFD. */
static void put_json_string(const char *value)
{
    const unsigned char *s = (const unsigned char *)value;

    putchar('"');
    while (*s != '\0') {
        size_t length = utf8_length(s);

        if (length == 0)
            fputs("\\ufffd", stdout);
        else if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f)
            printf("\\u%04x", *s);
        else
            fwrite(s, 1, length, stdout);
        s += length == 0 ? 1 : length;
    }
    putchar('"');
}

static void put_separator(struct output *out)
{
    if (out->separate)
        fputs(", ", stdout);
    out->separate = true;
}

static void put_key(struct output *out, const char *key)
{
    if (!out->json) {
        printf("%-*s", KEY_WIDTH, key);
        return;
    }
    put_separator(out);
    printf("\"%s\": ", key);
}

static void end_field(const struct output *out)
{
    if (!out->json)
        putchar('\n');
}

void output_list_begin(struct output *out)
{
    if (out->json)
        putchar('[');
    out->in_list = true;
}

void output_list_end(struct output *out)
{
    if (out->json)
        puts("]");
    out->in_list = false;
}

void output_record_begin(struct output *out)
{
    if (!out->json)
        return;
    if (out->in_list)
        put_separator(out);
    putchar('{');
    out->separate = false;
}

void output_record_end(struct output *out)
{
    if (!out->json)
        return;
    fputs(out->in_list ? "}" : "}\n", stdout);
    out->separate = true;
}

void output_string(struct output *out, const char *key, const char *value)
{
    if (value == NULL && !out->json)
        return;
    put_key(out, key);
    if (value == NULL)
        fputs("null", stdout);
    else if (out->json)
        put_json_string(value);
    else
        fputs(value, stdout);
    end_field(out);
}

void output_strings(struct output *out, const char *key, const char *const *values)
{
    put_key(out, key);
    if (out->json)
        putchar('[');
    for (size_t i = 0; values[i] != NULL; i++) {
        if (i > 0)
            fputs(", ", stdout);
        if (out->json)
            put_json_string(values[i]);
        else
            fputs(values[i], stdout);
    }
    if (out->json)
        putchar(']');
    end_field(out);
}

void output_number(struct output *out, const char *key, int64_t value)
{
    put_key(out, key);
    printf("%" PRId64, value);
    end_field(out);
}

void output_bool(struct output *out, const char *key, bool value)
{
    put_key(out, key);
    fputs(value ? "true" : "false", stdout);
    end_field(out);
}

void output_size(struct output *out, const char *key, uint64_t bytes)
{
    put_key(out, key);
    printf("%" PRIu64, bytes);
    if (!out->json && bytes >= 1024)
        printf(" (%s)", human_size((double)bytes).text);
    end_field(out);
}

void output_json(struct output *out, const char *key, const char *json)
{
    put_key(out, key);
    fputs(json, stdout);
    end_field(out);
}

void output_speed(struct output *out, uint64_t bytes, double seconds)
{
    put_key(out, out->json ? "seconds" : "speed");
    if (out->json)
        printf("%.3f", seconds);
    else
        printf("%s/s (%.2f s)", human_size((double)bytes / seconds).text, seconds);
    end_field(out);
}
