"""The C text that is the same for every micromodel; @WORDS@ are put in by `c_source`."""

from __future__ import annotations

HEADER = """/*
 * A zone's micromodel, made by Zonewise. Generated: change the model, not this file.
@CARD@
 * clock changes and public holidays are known until @UNTIL@
 *
 * How to use it, once every step, also when there was no reading (give NAN then):
 *     zw_init(&state);                                  once
 *     zw_push(&state, reading, start_of_interval);      UTC seconds since 1970
 *     zw_hear(&state, side, value, start_of_interval);  optional: what others tell; unknown counts as usual
 *     zw_forecast(&state, out);                         quantiles from the newest interval pushed
 */
#ifndef ZW_MODEL_H
#define ZW_MODEL_H
#include <stdint.h>

#define ZW_STEP_S @STEP_S@ /* s between readings */
#define ZW_DAY @DAY@ /* steps in a day */
#define ZW_HORIZONS @HORIZONS@
#define ZW_QUANTILES @QUANTILES@
#define ZW_OWN @OWN@ /* intervals of own readings that are kept */
#define ZW_SIDES @SIDES@ /* what others may tell: ZW_NEAR_... a neighbour's zw_deviation, else readings */
#define ZW_SIDE_KEPT @SIDE_KEPT@
@SIDE_NAMES@

enum zw_result { ZW_OK = 0, ZW_TOO_LATE = 1, ZW_OFF_GRID = 2, ZW_UNKNOWN_SIDE = 3, ZW_EMPTY = 4 };

typedef struct {
    int32_t newest; /* number of the newest interval, -1 before the first */
    float own[ZW_OWN]; /* deviations from the usual, a ring by interval; NAN where there was no reading */
    float side[ZW_SIDES ? ZW_SIDES : 1][ZW_SIDE_KEPT]; /* what others told, rings alike */
} zw_state;

extern const int32_t zw_horizon_s[ZW_HORIZONS]; /* a horizon of h s is the interval that ends h s after the newest */
extern const float zw_quantile[ZW_QUANTILES];

/* Forget everything. */
void zw_init(zw_state *s);
/* A reading of the interval that starts at `time`, or NAN; late ones and corrections of what is kept are taken. */
int zw_push(zw_state *s, float reading, int64_t time);
/* What another told of an interval; a neighbour's deviation, or a reading of another quantity. */
int zw_hear(zw_state *s, int side, double value, int64_t time);
/* Wind, from where it blows in degrees from north, for the sides that follow from it. */
int zw_wind(zw_state *s, double speed_mps, double from_deg, int64_t time);
/* How far the newest reading is from the usual, in this zone's scale: what neighbours want to hear; NAN if none. */
float zw_deviation(const zw_state *s);
/* Quantiles by horizon in the unit of the readings. */
int zw_forecast(const zw_state *s, float out[ZW_HORIZONS][ZW_QUANTILES]);
#endif
"""

SOURCE = """/* A zone's micromodel, made by Zonewise; see zw_model.h. */
#include "zw_model.h"
#include <math.h>

@TABLES@

const int32_t zw_horizon_s[ZW_HORIZONS] = {@HORIZON_S@};
const float zw_quantile[ZW_QUANTILES] = {@LEVELS@};

typedef struct {
    int kind; /* 0 weekday, 1 Saturday, 2 Sunday or holiday */
    int32_t step; /* of the local day */
    int32_t day; /* local, from 1970-01-01 */
} zw_moment;

static float zw_within(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

/* ---- time ---- */

static int64_t zw_floor(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((b - 1 - a) / b);
}

static int64_t zw_time_of(int32_t interval)
{
    return (int64_t)interval * ZW_STEP_S + @PHASE_S@;
}

static int32_t zw_offset_at(int64_t time)
{
    int k = @CHANGES@ - 1;
    while (k > 0 && time < @CHANGE_AT@[k])
        k--;
    return @OFFSET_S@[k];
}

static zw_moment zw_moment_of(int32_t interval)
{
    zw_moment m;
    int64_t local = zw_time_of(interval);
    int64_t day;
    int k;
    local += zw_offset_at(local);
    day = zw_floor(local, 86400);
    m.step = (int32_t)((local - day * 86400) / ZW_STEP_S);
    m.day = (int32_t)day;
    k = (int)((day + 3) % 7); /* 1970-01-01 was a Thursday; 0 is Monday */
    m.kind = k == 6 ? 2 : k == 5 ? 1 : 0;
    for (k = 0; k < @HOLIDAYS@; k++)
        if (@HOLIDAY@[k] == day)
            m.kind = 2;
    return m;
}

/*? zw_same_clock */
/* The interval at the same local time so many days before. */
static int32_t zw_same_clock(int32_t interval, int32_t days)
{
    int32_t back = interval - days * ZW_DAY;
    int32_t change = zw_offset_at(zw_time_of(interval)) - zw_offset_at(zw_time_of(back));
    return back + (int32_t)zw_floor(change, ZW_STEP_S);
}
/*?*/
/*? zw_sin */
static float zw_sin(int32_t steps)
{
    return @SINE@[steps % ZW_DAY];
}
/*?*/
/*? zw_cos */
static float zw_cos(int32_t steps)
{
    return @COSINE@[steps % ZW_DAY];
}
/*?*/
/* ---- rings of recent values; intervals that are not kept are unknown ---- */

static float zw_at(const float *ring, int32_t kept, int32_t newest, int32_t interval)
{
    return interval > newest || interval <= newest - kept || interval < 0 ? NAN : ring[interval % kept];
}

/*? zw_known */
static float zw_known(const float *ring, int32_t kept, int32_t newest, int32_t interval)
{
    float value = zw_at(ring, kept, newest, interval);
    return isnan(value) ? 0.0f : value;
}
/*?*/
/*? zw_carried */
/* The value of an interval, or the last before it for up to three hours; NAN if there is none. */
static float zw_carried(const float *ring, int32_t kept, int32_t newest, int32_t interval)
{
    int k;
    for (k = 0; k <= @BRIDGE@; k++) {
        float value = zw_at(ring, kept, newest, interval - k);
        if (!isnan(value))
            return value;
    }
    return NAN;
}
/*?*/
/*? zw_bridged */
static float zw_bridged(const float *ring, int32_t kept, int32_t newest, int32_t interval)
{
    float value = zw_carried(ring, kept, newest, interval);
    return isnan(value) ? 0.0f : value;
}
/*?*/
/*? zw_mean */
/* Mean of the known values of intervals first to last; 0 where none is known. */
static float zw_mean(const float *ring, int32_t kept, int32_t newest, int32_t first, int32_t last)
{
    double sum = 0.0;
    int32_t n = 0, i;
    for (i = first; i <= last; i++) {
        float value = zw_at(ring, kept, newest, i);
        if (!isnan(value)) {
            sum += (double)value;
            n++;
        }
    }
    return n ? (float)(sum / n) : 0.0f;
}
/*?*/
/*? zw_count */
static int32_t zw_count(const float *ring, int32_t kept, int32_t newest, int32_t first)
{
    int32_t n = 0, i;
    for (i = first; i <= newest; i++)
        n += isnan(zw_at(ring, kept, newest, i)) ? 0 : 1;
    return n;
}
/*?*/
/*? zw_mixed */
/* Weighted mean of the neighbours that were heard; 0 where none was. */
static float zw_mixed(const zw_state *s, const uint8_t *side, const float *weight, int n, int32_t interval)
{
    double sum = 0.0, mass = 0.0;
    int k;
    for (k = 0; k < n; k++) {
        float value = zw_carried(s->side[side[k]], ZW_SIDE_KEPT, s->newest, interval);
        if (!isnan(value)) {
            sum += (double)weight[k] * (double)value;
            mass += (double)weight[k];
        }
    }
    return mass > 0.0 ? (float)(sum / mass) : 0.0f;
}
/*?*/
/*? zw_mixed_mean */
static float zw_mixed_mean(const zw_state *s, const uint8_t *side, const float *weight, int n, int hour)
{
    float sum = 0.0f;
    int k;
    for (k = 0; k < hour; k++)
        sum += zw_mixed(s, side, weight, n, s->newest - k);
    return sum / (float)hour;
}
/*?*/
/* ---- what is usual ---- */

/*? zw_usual_scaled */
static float zw_usual_scaled(const zw_moment *m)
{
    return (float)(((double)@USUAL@[m->kind * ZW_DAY + m->step] - @LEVEL@) / @OWN_SCALE@);
}
/*?*/
/* ---- the model ---- */

@PARTS@
/* ---- what a sensor calls ---- */

void zw_init(zw_state *s)
{
    int32_t i, k;
    s->newest = -1;
    for (i = 0; i < ZW_OWN; i++)
        s->own[i] = NAN;
    for (k = 0; k < ZW_SIDES; k++)
        for (i = 0; i < ZW_SIDE_KEPT; i++)
            s->side[k][i] = NAN;
}

/* Number of the interval that starts at a time, made the newest if it is; negative: a zw_result, negated. */
static int32_t zw_open(zw_state *s, int64_t time, int32_t kept)
{
    int64_t at = time - @PHASE_S@;
    int32_t n, i, k;
    if (at < 0 || at % ZW_STEP_S || at / ZW_STEP_S > 2000000000)
        return -ZW_OFF_GRID;
    n = (int32_t)(at / ZW_STEP_S);
    if (s->newest >= 0 && n <= s->newest - kept)
        return -ZW_TOO_LATE;
    if (n > s->newest) {
        int32_t from = s->newest < 0 || n - s->newest > ZW_OWN + ZW_SIDE_KEPT ? n - ZW_OWN - ZW_SIDE_KEPT : s->newest;
        for (i = from < -1 ? 0 : from + 1; i <= n; i++) {
            s->own[i % ZW_OWN] = NAN;
            for (k = 0; k < ZW_SIDES; k++)
                s->side[k][i % ZW_SIDE_KEPT] = NAN;
        }
        s->newest = n;
    }
    return n;
}

int zw_push(zw_state *s, float reading, int64_t time)
{
    int32_t n = zw_open(s, time, ZW_OWN);
    zw_moment now;
    if (n < 0)
        return -n;
    now = zw_moment_of(n);
    (void)now;
    if (isnan(reading) || isinf(reading))
        s->own[n % ZW_OWN] = NAN;
    else
        s->own[n % ZW_OWN] = zw_within((float)((@ROOT@ - @DEVIATES@) / @OWN_SCALE@), -@SPIKE@, @SPIKE@);
    return ZW_OK;
}

static int zw_keep(zw_state *s, int side, double value, int64_t time)
{
    int32_t n = zw_open(s, time, ZW_SIDE_KEPT);
    int told = !(isnan(value) || isinf(value));
    zw_moment now;
    if (n < 0)
        return -n;
    now = zw_moment_of(n);
    (void)now;
    (void)told;
    switch (side) {
@HEARING@
    default:
        return ZW_UNKNOWN_SIDE;
    }
#if ZW_SIDES
    s->side[side][n % ZW_SIDE_KEPT] = told ? (float)value : NAN;
    return ZW_OK;
#endif
}

int zw_hear(zw_state *s, int side, double value, int64_t time)
{
    return zw_keep(s, side, value, time);
}

int zw_wind(zw_state *s, double speed_mps, double from_deg, int64_t time)
{
    double angle = from_deg * 0.017453292519943295;
    (void)s;
    (void)speed_mps;
    (void)angle;
    (void)time;
@WIND@    return ZW_OK;
}

float zw_deviation(const zw_state *s)
{
    return s->newest < 0 ? NAN : s->own[s->newest % ZW_OWN];
}

int zw_forecast(const zw_state *s, float out[ZW_HORIZONS][ZW_QUANTILES])
{
    float x[@WIDTH@ + 1];
    zw_moment now;
    float last;
    int h, q;
    if (s->newest < 0)
        return ZW_EMPTY;
    now = zw_moment_of(s->newest);
    (void)now;
@NEAR@
    last = x[0];
    for (h = 0; h < ZW_HORIZONS; h++) {
        int32_t aim = s->newest + @STEP_TABLE@[h];
        zw_moment then = zw_moment_of(aim);
@DAY_LOOKUP@@FAR@
        {
            float deviation = @START@[h] * last + @SUM@;
            double point = @BASE@ + (double)deviation * @SCALE@;
            double stray = (double)@SPREAD@[then.kind * ZW_DAY + then.step];
            for (q = 0; q < ZW_QUANTILES; q++) {
                double value = point + (double)@OFFSETS@[h * ZW_QUANTILES + q] * stray;
                out[h][q] = @BACK@;
            }
        }
    }
    return ZW_OK;
}
"""

DAY_LOOKUP = """        int32_t day = zw_same_clock(aim, 1);
        if (day > s->newest)
            day = zw_same_clock(day, 1);
"""
