/* What the bytes of a text are to its tokens, a bit each: to find where one begins and ends takes no loop over bytes.
 *
 * Bytes of tokens are those of grammar/shape.py: digits, letters, and "_", ".", ":", "-".
 */
#ifndef PEERSCOPE_MASKS_H
#define PEERSCOPE_MASKS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { BLOCK = 64, MASKS = 4096 / BLOCK + 1 }; /* texts of up to 4096 bytes; bits behind their end are 0 */

typedef struct {
    uint64_t digit[MASKS];
    uint64_t letter[MASKS];
    uint64_t token[MASKS];   /* letters and digits as well */
    bool control;            /* there is a control character other than a tab */
} masks_t;

static inline bool is_digit(uint8_t byte) { return (uint8_t)(byte - '0') <= 9; }
static inline bool is_letter(uint8_t byte) { return (uint8_t)((byte | 0x20) - 'a') <= 25; }
static inline bool is_punctuation(uint8_t byte) { return byte == '_' || byte == ':' || byte == '-' || byte == '.'; }

#ifdef __SSE2__
static inline __m128i among(__m128i bytes, uint8_t first, uint8_t count) {
    __m128i from = _mm_sub_epi8(bytes, _mm_set1_epi8((char)first));
    return _mm_cmpeq_epi8(_mm_min_epu8(from, _mm_set1_epi8((char)(count - 1))), from);
}

static inline uint64_t bits_of(__m128i found) { return (uint64_t)(unsigned)_mm_movemask_epi8(found); }

/* Bits of sixteen bytes; returns whether some are control characters, as bits. */
static inline uint64_t look(const uint8_t *at, uint64_t *digit, uint64_t *letter, uint64_t *token) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i digits = among(bytes, '0', 10), letters = among(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 26);
    __m128i other = _mm_or_si128(among(bytes, '-', 2), _mm_or_si128(among(bytes, '_', 1), among(bytes, ':', 1)));
    __m128i control = _mm_andnot_si128(among(bytes, '\t', 1), among(bytes, 0, 32));
    *digit = bits_of(digits);
    *letter = bits_of(letters);
    *token = bits_of(_mm_or_si128(other, _mm_or_si128(digits, letters)));
    return bits_of(control);
}
#else
static inline uint64_t look(const uint8_t *at, uint64_t *digit, uint64_t *letter, uint64_t *token) {
    uint64_t control = 0;
    *digit = *letter = *token = 0;
    for (int n = 0; n < 16; n++) {
        uint64_t bit = (uint64_t)1 << n;
        if (is_digit(at[n])) *digit |= bit;
        if (is_letter(at[n])) *letter |= bit;
        if (is_digit(at[n]) || is_letter(at[n]) || is_punctuation(at[n])) *token |= bit;
        if (at[n] < 32 && at[n] != '\t') control |= bit;
    }
    return control;
}
#endif

/* Look at a text; nothing is read from `limit` on. */
static inline void masks_of(const uint8_t *text, int64_t width, const uint8_t *limit, masks_t *found) {
    uint64_t controls = 0;
    int64_t block = 0;
    for (; block * BLOCK < width; block++) {
        const uint8_t *at = text + block * BLOCK;
        uint8_t rest[BLOCK];
        if (limit - at < BLOCK) {
            memset(rest, 0, BLOCK);
            memcpy(rest, at, (size_t)(limit - at));
            at = rest;
        }
        uint64_t digits = 0, letters = 0, tokens = 0, control = 0;
        for (int part = 0; part < BLOCK; part += 16) {
            uint64_t digit, letter, token;
            control |= look(at + part, &digit, &letter, &token) << part;
            digits |= digit << part;
            letters |= letter << part;
            tokens |= token << part;
        }
        int64_t left = width - block * BLOCK;
        uint64_t inside = left < BLOCK ? ((uint64_t)1 << left) - 1 : ~(uint64_t)0;
        found->digit[block] = digits & inside;
        found->letter[block] = letters & inside;
        found->token[block] = tokens & inside;
        controls |= control & inside;
    }
    found->digit[block] = found->letter[block] = found->token[block] = 0;
    found->control = controls != 0;
}

/* The first place from `from` on whose bit is `set`; `width`, or one behind it, where there is none. */
static inline int64_t next_place(const uint64_t *bits, bool set, int64_t from, int64_t width) {
    uint64_t flip = set ? 0 : ~(uint64_t)0;
    int64_t block = from / BLOCK;
    uint64_t word = (bits[block] ^ flip) & (~(uint64_t)0 << (from % BLOCK));
    while (word == 0) {
        if (++block * BLOCK >= width) return width;
        word = bits[block] ^ flip;
    }
    return block * BLOCK + __builtin_ctzll(word);
}

/* Where the run of bits begins that `at` is in. */
static inline int64_t run_begin(const uint64_t *bits, int64_t at) {
    int64_t block = at / BLOCK;
    uint64_t word = ~bits[block] & (((uint64_t)1 << (at % BLOCK)) - 1);
    while (word == 0) {
        if (block-- == 0) return 0;
        word = ~bits[block];
    }
    return block * BLOCK + BLOCK - __builtin_clzll(word);
}

#endif
