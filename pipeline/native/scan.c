/* What is done with each byte or line of a log: lines, stamps, wordings, counts.
 *
 * lines.py, wordings.py and counts.py say what the results mean and make the structures, whose fields are all of eight
 * bytes. Nothing is allocated here, and nothing is read outside of octets[0 .. length).
 */
#include "heads.h"

enum { WORD = 1, PREFIX = 2, SECRET = 4, OPENING = 8 };          /* what an automaton's state says (words.py) */
enum { TELLING = 1, SURELY_FOUR = 2 };                           /* what else a line's words are */
enum { NO_WORDING = -1 };
enum { UNDATED = 1, DATED = 2, MARK = 0 };
enum { STEPS = 64, STRIP = 1 << 14, TEXT_BYTES = 4096, SOON = 16 };

/* Goes up with every change of what library.py and its users know of this file. */
const int32_t peerscope_scan_version = 3;

typedef struct {
    const uint8_t *fold;     /* 256: the column of each byte */
    const int32_t *step;     /* step[state + column]: the next state */
    const uint8_t *says;
    const int32_t *longest;
    int64_t silent;          /* states below say nothing */
} words_t;

typedef struct {
    int32_t *slots;          /* hash table of numbers, -1 where free; its size is mask + 1 */
    uint64_t *hashes;
    int64_t *sizes;
    int64_t *places;
    uint64_t *pool;
    int64_t mask, room, pool_room, count, used;
} wordings_t;

typedef struct {
    int64_t *ts;
    int64_t *begin;
    int64_t *wording;
    uint8_t *stream;
    uint8_t *said;
} scanned_t;

/* ---- wordings ---- */

static bool has_digit(const uint8_t *at, const uint8_t *end) {
    for (; at < end; at++)
        if (is_digit(*at)) return true;
    return false;
}

/* Whether a digit from `begin` on surely belongs to no protected word, however these overlap. */
static bool uncovered(const words_t *words, const uint8_t *first, const uint8_t *begin, const uint8_t *end) {
    uint8_t covered[TEXT_BYTES];
    int64_t state = 0;
    memset(covered, 0, (size_t)(end - first));
    for (const uint8_t *at = first; at < end; at++) {
        state = words->step[state + words->fold[*at]];
        for (int64_t back = 0; back < words->longest[state]; back++) covered[at - first - back] = 1;
    }
    for (const uint8_t *at = begin; at < end; at++)
        if (is_digit(*at) && !covered[at - first]) return true;
    return false;
}

/* Wipe a token with a digit, which stands behind the draft, from the end of the last prefix in it on; the new size of
 * the draft. It stays as it is where digits of protected words may be all that it has. */
static int64_t wipe(const words_t *words, const uint8_t *first, const uint8_t *end, bool letters, uint8_t *draft,
                    int64_t size, bool *telling) {
    const uint8_t *begin = first;
    int said = 0;
    int64_t state = 0;
    for (const uint8_t *at = first; letters && at < end; at++) {
        state = words->step[state + words->fold[*at]];
        if (state < words->silent) continue;
        int here = words->says[state];
        said |= at + 1 == end ? here : here & ~OPENING;
        if (here & PREFIX) begin = at + 1;
    }
    *telling |= (said & SECRET) != 0;
    bool file = end - first > 3 && memcmp(end - 3, ".go", 3) == 0; /* tells the component */
    bool kept = file || (said & OPENING) || ((said & WORD) && !uncovered(words, first, begin, end));
    if (kept || (begin != first && !has_digit(begin, end))) begin = end;
    size += begin - first;
    if (begin == end) return size;
    if (begin == first && draft[size - 1] == ',' && draft[size - 2] == MARK)
        size--; /* lists are one mark */
    else
        draft[size++] = MARK;
    const uint8_t *last = end;
    while (last > begin && is_punctuation(last[-1])) last--;
    while (last < end) draft[size++] = *last++;
    return size;
}

/* Copy a text; of short ones all of 32 bytes, where that reads nothing from `limit` on. There is room for them. */
static void copy(uint8_t *to, const uint8_t *from, int64_t size, const uint8_t *limit) {
    if (size > 32 || limit - from < 32) {
        memcpy(to, from, (size_t)size);
        return;
    }
    memcpy(to, from, 16);
    memcpy(to + 16, from + 16, 16);
}

/* Draft the wording of a text from `place` on: its size, 0 where it has none. Only tokens with a digit are looked at
 * closely. */
static int64_t draft_of(const words_t *words, const masks_t *masks, const uint8_t *text, int64_t place, int64_t width,
                        const uint8_t *limit, uint8_t *draft, bool *telling) {
    int64_t size = 2;
    if (masks->control) return 0;
    while (place < width) {
        int64_t digit = next_place(masks->digit, true, place, width);
        if (digit >= width) {
            copy(draft + size, text + place, width - place, limit);
            return size + width - place;
        }
        int64_t first = run_begin(masks->token, digit), last = next_place(masks->token, false, digit, width);
        bool letters = next_place(masks->letter, true, first, last) < last;
        copy(draft + size, text + place, last - place, limit);
        size = wipe(words, text + first, text + last, letters, draft, size + first - place, telling);
        place = last;
    }
    return size;
}

static uint64_t word_at(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

static uint64_t mixed(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
}

/* Four words are mixed side by side: one multiplication need not wait for another. */
static uint64_t hash_of(const uint8_t *at, int64_t words) {
    uint64_t lanes[4] = {(uint64_t)words, 1, 2, 3};
    int64_t n = 0;
    for (; n + 4 <= words; n += 4)
        for (int lane = 0; lane < 4; lane++) lanes[lane] = mixed(lanes[lane], word_at(at + 8 * (n + lane)));
    for (; n < words; n++) lanes[0] = mixed(lanes[0], word_at(at + 8 * n));
    for (int lane = 1; lane < 4; lane++) lanes[0] = mixed(lanes[0], lanes[lane]);
    return mixed(lanes[0], 0); /* the last bytes must reach the lowest bits, too */
}

/* The number of a wording, a new one as long as there is room. The draft has room for a word behind its end. */
static int64_t number_of(wordings_t *seen, uint8_t *draft, int64_t size) {
    int64_t words = size / 8 + 1;
    memset(draft + size, 0, 8);
    uint64_t hash = hash_of(draft, words);
    int64_t slot = (int64_t)(hash & (uint64_t)seen->mask);
    for (int step = 0; step < STEPS; step++, slot = (slot + 1) & seen->mask) {
        int64_t known = seen->slots[slot];
        if (known < 0) {
            if (seen->count == seen->room || seen->used + words > seen->pool_room) return NO_WORDING;
            known = seen->count++;
            seen->slots[slot] = (int32_t)known;
            seen->hashes[known] = hash;
            seen->sizes[known] = size;
            seen->places[known] = seen->used;
            memcpy(seen->pool + seen->used, draft, (size_t)words * 8);
            seen->used += words;
            return known;
        }
        if (seen->hashes[known] == hash && seen->sizes[known] == size &&
            memcmp(seen->pool + seen->places[known], draft, (size_t)words * 8) == 0)
            return known;
    }
    return NO_WORDING;
}

/* ---- lines ---- */

static uint8_t all_bits(const uint8_t *at, const uint8_t *end) {
    uint8_t bits = 0;
    while (at < end) bits |= *at++;
    return bits;
}

/* Where lines begin and how wide they are without their end (LF or CR LF); every one ends with LF. Returns how many
 * there are, and tells of the first `room` of them. Sets `plain` when all bytes are ASCII. */
int64_t peerscope_lines(const uint8_t *octets, int64_t length, int64_t *begin, int64_t *width, int64_t room,
                        int64_t *plain) {
    int64_t lines = 0;
    uint8_t bits = 0;
    const uint8_t *at = octets, *end = octets + length, *stop, *looked = octets;
    for (; at < end && (stop = memchr(at, '\n', (size_t)(end - at))) != NULL; at = stop + 1, lines++) {
        if (stop >= looked) {
            const uint8_t *until = end - stop > STRIP ? stop + STRIP : end;
            bits |= all_bits(looked, until);
            looked = until;
        }
        if (lines >= room) continue;
        begin[lines] = at - octets;
        width[lines] = stop - at - (stop > at && stop[-1] == '\r');
    }
    *plain = bits < 0x80;
    return lines;
}

/* Lines of `width` bytes from `begin` on; see wordings.py. */
void peerscope_scan(const uint8_t *octets, int64_t length, const int64_t *begin, const int64_t *width, int64_t lines,
                    const words_t *words, wordings_t *seen, scanned_t *found) {
    uint8_t draft[TEXT_BYTES + 64];
    masks_t masks;
    minute_t minute = {"", -1};
    for (int64_t n = 0; n < lines; n++) {
        found->ts[n] = 0;
        found->stream[n] = found->said[n] = 0;
        found->begin[n] = NO_HEAD;
        found->wording[n] = NO_WORDING;
        if (begin[n] + HEAD_REACH > length) continue;
        const uint8_t *at = octets + begin[n], *end = at + width[n];
        int64_t head = container_head(at, width[n], &minute, &found->ts[n], &found->stream[n]);
        if (head == NO_HEAD) continue;
        at += head;
        found->begin[n] = at - octets;
        if (end - at >= TEXT_BYTES) continue;
        masks_of(at, end - at, octets + length, &masks);
        bool dated = is_dated(at, end - at, &masks), telling = false;
        draft[0] = 1; /* never a mark: nothing stands before the text */
        draft[1] = dated ? DATED : UNDATED;
        int64_t from = dated ? DATE_WIDTH : 0;
        int64_t size = draft_of(words, &masks, at, from, end - at, octets + length, draft, &telling);
        if (!size) continue;
        found->wording[n] = number_of(seen, draft, size);
        bool four = !dated && surely_four(at, end);
        found->said[n] = (uint8_t)((telling ? TELLING : 0) | (four ? SURELY_FOUR : 0));
    }
}

/* Move `begin` of each text past its head, up to the first colon where there is one, and past white space. */
void peerscope_bodies(const uint8_t *octets, int64_t lines, int64_t *begin, const int64_t *end, const uint8_t *headed) {
    for (int64_t n = 0; n < lines; n++) {
        const uint8_t *at = octets + begin[n], *last = octets + end[n];
        const uint8_t *colon = headed[n] && at < last ? memchr(at, ':', (size_t)(last - at)) : NULL;
        if (colon != NULL) at = colon + 1;
        while (at < last && (*at == ' ' || *at == '\t')) at++;
        begin[n] = at - octets;
    }
}

/* ---- counts ---- */

typedef struct {
    const uint32_t *src;
    const int64_t *ts;
    const int64_t *kind;
    const int64_t *begin;    /* where the text begins, with its date */
    const int64_t *end;
    uint8_t *quiet;
    uint8_t *place;          /* set for lines whose place differs from that of the line of their kind before */
} quiet_t;

/* What is known of each kind within its source, and the minute that is being counted. */
typedef struct {
    const uint8_t *placed;
    int64_t *src;            /* -1 at first */
    int64_t *examples;
    int64_t *row;            /* -1: no minute yet */
    int64_t *place;          /* where the latest place stands; -1: none yet */
    int64_t *wide;
} kinds_t;

typedef struct {
    uint32_t *src;
    int64_t *kind;
    int64_t *minute;
    int64_t *events;
    int64_t *first_ts;
    int64_t *last_ts;
} counts_t;

/* The width of what stands between "[INFO][77] " and the colon behind the line of a source file; sets its begin. */
static int64_t place_of(const uint8_t *at, const uint8_t *end, const uint8_t **begin) {
    while (at < end && !(at[0] == ']' && at + 1 < end && at[1] == ' ')) at++;
    *begin = at = at + 2 < end ? at + 2 : end;
    while (at < end && *at != ' ') at++;
    for (at += at < end; at < end && *at != ':' && *at != ' ' && *at != '\t';) at++;
    return at - *begin;
}

/* Count quiet lines by source, minute and kind; returns the number of rows, several of one minute where lines are not
 * in the order of time. Not counted are the first `examples` lines of a kind in its source, which lose `quiet`, and
 * those with another place than the one before. There is room for a row a line. */
int64_t peerscope_count(const uint8_t *octets, int64_t lines, quiet_t *of, kinds_t *kinds, int64_t examples,
                        counts_t *out) {
    int64_t rows = 0;
    for (int64_t n = 0; n < lines; n++) {
        int64_t kind = of->kind[n], soon = n + SOON;
        if (soon < lines && of->quiet[soon] && kinds->placed[of->kind[soon]])
            __builtin_prefetch(octets + of->begin[soon] + DATE_WIDTH); /* the text left the cache since it was scanned */
        if (!of->quiet[n]) continue;
        if (kinds->src[kind] != of->src[n]) {
            kinds->src[kind] = of->src[n];
            kinds->examples[kind] = 0;
            kinds->row[kind] = kinds->place[kind] = -1;
        }
        if (kinds->examples[kind] < examples) {
            kinds->examples[kind]++;
            of->quiet[n] = 0;
            continue;
        }
        if (kinds->placed[kind]) {
            const uint8_t *here;
            int64_t wide = place_of(octets + of->begin[n] + DATE_WIDTH, octets + of->end[n], &here);
            int64_t known = kinds->place[kind];
            bool same = known >= 0 && kinds->wide[kind] == wide && memcmp(here, octets + known, (size_t)wide) == 0;
            kinds->place[kind] = here - octets;
            kinds->wide[kind] = wide;
            if (!same) {
                of->place[n] = 1;
                continue;
            }
        }
        int64_t over = of->ts[n] % MINUTE, minute = of->ts[n] - over - (over < 0 ? MINUTE : 0);
        int64_t row = kinds->row[kind];
        if (row < 0 || out->minute[row] != minute) {
            kinds->row[kind] = row = rows++;
            out->src[row] = of->src[n];
            out->kind[row] = kind;
            out->minute[row] = minute;
            out->events[row] = 0;
            out->first_ts[row] = out->last_ts[row] = of->ts[n];
        }
        out->events[row]++;
        if (of->ts[n] < out->first_ts[row]) out->first_ts[row] = of->ts[n];
        if (of->ts[n] > out->last_ts[row]) out->last_ts[row] = of->ts[n];
    }
    return rows;
}
