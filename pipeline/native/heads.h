/* What stands before the text of a line: a container's stamp and stream, a date of logrus, the name of a neighbour. */
#ifndef PEERSCOPE_HEADS_H
#define PEERSCOPE_HEADS_H

#include "masks.h"

enum { NO_HEAD = -1 };
enum { HEAD_REACH = 64, HEAD_NARROWEST = 32, DATE_WIDTH = 24 };
#define MINUTE 60000000LL

static int64_t number(const uint8_t *at, int digits) {
    int64_t value = 0;
    for (int n = 0; n < digits; n++) {
        if (!is_digit(at[n])) return -1;
        value = value * 10 + (at[n] - '0');
    }
    return value;
}

/* Days from 1970-01-01: https://howardhinnant.github.io/date_algorithms.html#days_from_civil */
static int64_t days(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Microseconds since 1970 of "YYYY-MM-DDTHH:MM", -1 where that is no time. */
static int64_t minute_of(const uint8_t *at) {
    static const int64_t lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year = number(at, 4), month = number(at + 5, 2), day = number(at + 8, 2);
    int64_t hour = number(at + 11, 2), minute = number(at + 14, 2);
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (at[4] != '-' || at[7] != '-' || at[10] != 'T' || at[13] != ':') return -1;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > lengths[month - 1]) return -1;
    if ((month == 2 && day == 29 && !leap) || hour < 0 || hour > 23 || minute < 0 || minute > 59) return -1;
    return ((days(year, month, day) * 24 + hour) * 60 + minute) * MINUTE;
}

/* The width of "Z" or "+08:00", 0 where it is neither; sets the microseconds east of UTC. */
static int zone(const uint8_t *at, int64_t *east) {
    if (at[0] == 'Z') return *east = 0, 1;
    int64_t hours = number(at + 1, 2), minutes = number(at + 4, 2);
    if ((at[0] != '+' && at[0] != '-') || at[3] != ':' || hours < 0 || minutes < 0) return 0;
    *east = (at[0] == '-' ? -1 : 1) * (hours * 60 + minutes) * MINUTE;
    return 6;
}

/* The minute of the line before, as most lines are of the same. */
typedef struct {
    uint8_t text[16];
    int64_t micros;
} minute_t;

/* The width of "2024-12-18T07:00:00.123456789Z stdout F ", or NO_HEAD; at least HEAD_REACH bytes can be read. */
static int64_t container_head(const uint8_t *at, int64_t width, minute_t *last, int64_t *ts, uint8_t *stream) {
    if (width < HEAD_NARROWEST || at[16] != ':' || at[19] != '.') return NO_HEAD;
    if (memcmp(at, last->text, sizeof last->text) != 0) {
        memcpy(last->text, at, sizeof last->text);
        last->micros = minute_of(at);
    }
    int64_t minute = last->micros, second = number(at + 17, 2), micros = 0, unit = 1000000, east;
    if (minute < 0 || second < 0 || second > 59) return NO_HEAD;
    int place = 20;
    for (; place < 29 && is_digit(at[place]); place++) micros += (unit /= 10) * (at[place] - '0');
    int wide = zone(at + place, &east);
    if (place == 20 || wide == 0) return NO_HEAD;
    place += wide;
    bool err = memcmp(at + place, " stderr F ", 10) == 0;
    if ((!err && memcmp(at + place, " stdout F ", 10) != 0) || place + 10 > width) return NO_HEAD;
    *ts = minute + second * 1000000 + micros - east;
    *stream = err;
    return place + 10;
}

/* Whether a text begins with "2024-12-18 07:00:00.123 " (logrus). */
static bool is_dated(const uint8_t *at, int64_t width, const masks_t *masks) {
    const uint64_t digits = 0x76DB6F; /* of the first 24 bytes */
    return width >= DATE_WIDTH && (masks->digit[0] & 0xFFFFFF) == digits && at[4] == '-' && at[7] == '-' &&
           at[10] == ' ' && at[13] == ':' && at[16] == ':' && (at[19] == '.' || at[19] == ',') && at[23] == ' ';
}

/* Whether a text begins as nearly all with a neighbour's name do: "bird: Mesh_10_0_0_1:". */
static bool surely_four(const uint8_t *at, const uint8_t *end) {
    if (end - at < 16 || memcmp(at, "bird: ", 6) != 0) return false;
    at += 6;
    if (memcmp(at, "Mesh_", 5) == 0 || memcmp(at, "Node_", 5) == 0) at += 5;
    else if (memcmp(at, "Global_", 7) == 0) at += 7;
    else return false;
    for (int part = 0; part < 4; part++) {
        const uint8_t *first = at;
        while (at < end && is_digit(*at)) at++;
        if (at == first || at - first > 3 || at == end) return false;
        if (part < 3 && *at++ != '_') return false;
    }
    return *at != '_' && !is_letter(*at);
}

#endif
