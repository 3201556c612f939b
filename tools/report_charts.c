/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plots of the report, in SVG. Each mark has a title, which browsers show under the pointer. */
#include "html.h"
#include "report.h"
#include "when.h"
#include <inttypes.h>
#include <string.h>

#define WIDTH 960
#define LEFT 64 /* for the numbers of the axis */
#define TOP 26  /* for the legend */
#define PLOT 190
#define TICKS 4
#define DAY_S 86400

#define BAR_HEIGHT 26
#define BAR_WIDTH 480 /* of the whole chart */
#define BAR_LABEL 250 /* what of it is for labels */
#define BAR_NUMBER 80 /* and for numbers */
#define LABEL_COLUMNS 28

static const struct series {
	enum timeline_what what;
	const char *colour, *name;
} series[] = {
	{ TIMELINE_PROTECTED, "protected", "protected" },
	{ TIMELINE_OWN, "own", "by themselves" },
	{ TIMELINE_CLEAR, "clear", "in the clear" },
	{ TIMELINE_FAILED, "failed", "failed" },
};
#define SERIES (sizeof series / sizeof series[0])

/* The least of 1, 2, 5, 10, 20 ... that is not below `value`. */
static uint64_t round_up(uint64_t value)
{
	static const uint64_t steps[] = { 1, 2, 5 };

	for (uint64_t scale = 1; scale < UINT64_MAX / 100; scale *= 10)
		for (size_t i = 0; i < 3; i++)
			if (steps[i] * scale >= value)
				return steps[i] * scale;
	return value;
}

static uint64_t sum_of(const struct timeline *timeline, size_t i)
{
	uint64_t sum = 0;

	for (size_t what = 0; what < TIMELINE_WHATS; what++)
		sum += timeline->count[i][what];
	return sum;
}

/* How many intervals there are up to the last with something in it; *top: the most in one. */
static size_t extent(const struct timeline *timeline, uint64_t *top)
{
	size_t count = 1;

	*top = 1;
	for (size_t i = 0; i < TIMELINE_INTERVALS; i++) {
		uint64_t sum = sum_of(timeline, i);

		*top = sum > *top ? sum : *top;
		count = sum > 0 ? i + 1 : count;
	}
	return count;
}

static void put_legend(FILE *out)
{
	int x = LEFT;

	for (size_t i = 0; i < SERIES; i++, x += 130)
		fprintf(out,
			"<rect class=\"%s\" x=\"%d\" y=\"2\" width=\"12\" height=\"12\"/>"
			"<text x=\"%d\" y=\"13\">%s</text>",
			series[i].colour, x, x + 18, series[i].name);
}

static void put_grid(uint64_t top, FILE *out)
{
	uint64_t step = round_up((top + TICKS - 1) / TICKS);

	for (uint64_t value = 0; value <= top; value += step) {
		double y = TOP + PLOT - (double)value / (double)top * PLOT;

		fprintf(out,
			"<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
			"<text class=\"faint\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
			LEFT, WIDTH, y, y, LEFT - 8, y + 4);
		html_number(out, value);
		fputs("</text>", out);
	}
}

/* As short as the time that the plot covers allows. */
static void put_time(uint64_t us, uint64_t covered_us, FILE *out)
{
	char when[WHEN_LEN];

	when_short(when, us / WHEN_SECOND_US);
	if (covered_us > (uint64_t)3 * DAY_S * WHEN_SECOND_US)
		fprintf(out, "%.10s", when);
	else if (covered_us > (uint64_t)600 * WHEN_SECOND_US)
		fprintf(out, "%.11s%.5s", when + 5, when + 11);
	else
		fputs(when + 11, out);
}

static void put_times(const struct timeline *timeline, size_t count, FILE *out)
{
	static const char *const anchors[] = { "start", "middle", "middle", "middle", "end" };
	uint64_t covered = timeline->interval_us * count;

	for (int i = 0; i <= TICKS; i++) {
		fprintf(out, "<text class=\"faint\" x=\"%d\" y=\"%d\" text-anchor=\"%s\">",
			LEFT + (WIDTH - LEFT) * i / TICKS, TOP + PLOT + 18, anchors[i]);
		put_time(timeline->begin_us + covered / TICKS * (uint64_t)i, covered, out);
		fputs("</text>", out);
	}
}

static void put_column(
	const struct timeline *timeline, size_t i, size_t count, uint64_t top, FILE *out)
{
	double width = (double)(WIDTH - LEFT) / (double)count, y = TOP + PLOT;
	double gap = width > 4 ? 1 : 0;
	char when[WHEN_LEN];

	if (sum_of(timeline, i) == 0)
		return;
	fprintf(out, "<g><title>%s UTC: ",
		when_short(
			when, (timeline->begin_us + timeline->interval_us * i) / WHEN_SECOND_US));
	for (size_t s = 0; s < SERIES; s++)
		fprintf(out, "%s%" PRIu64 " %s", s > 0 ? ", " : "",
			timeline->count[i][series[s].what], series[s].name);
	fputs("</title>", out);
	for (size_t s = 0; s < SERIES; s++) {
		double height = (double)timeline->count[i][series[s].what] / (double)top * PLOT;

		y -= height;
		if (height > 0)
			fprintf(out,
				"<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
				"height=\"%.2f\"/>",
				series[s].colour, LEFT + width * (double)i, y, width - gap, height);
	}
	fputs("</g>", out);
}

void report_timeline(const struct timeline *timeline, FILE *out)
{
	uint64_t top;
	size_t count = extent(timeline, &top);

	fprintf(out,
		"<div class=\"scroll\"><svg class=\"timeline\" viewBox=\"0 0 %d %d\" role=\"img\" "
		"aria-label=\"Connections over time\">",
		WIDTH, TOP + PLOT + 26);
	put_legend(out);
	put_grid(top, out);
	for (size_t i = 0; i < count; i++)
		put_column(timeline, i, count, top, out);
	put_times(timeline, count, out);
	fputs("</svg></div>\n", out);
}

static void put_bar(const struct report_bar *bar, size_t row, uint64_t top, FILE *out)
{
	int y = (int)row * BAR_HEIGHT;
	double width = (double)bar->value / (double)top * (BAR_WIDTH - BAR_LABEL - BAR_NUMBER);

	fputs("<g><title>", out);
	html_text(out, bar->label);
	fputs(": ", out);
	html_number(out, bar->value);
	fprintf(out, "</title><text x=\"%d\" y=\"%d\" text-anchor=\"end\">", BAR_LABEL - 8, y + 17);
	html_text_cut(out, bar->label, LABEL_COLUMNS);
	fprintf(out,
		"</text><rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" "
		"rx=\"2\"/>",
		bar->colour, BAR_LABEL, y + 4, width < 1 ? 1 : width, BAR_HEIGHT - 8);
	fprintf(out, "<text class=\"faint\" x=\"%.1f\" y=\"%d\">", BAR_LABEL + width + 6, y + 17);
	html_number(out, bar->value);
	if (bar->note != NULL)
		html_text(out, bar->note);
	fputs("</text></g>", out);
}

void report_bars(const struct report_bar *bars, size_t count, FILE *out)
{
	uint64_t top = 1;

	for (size_t i = 0; i < count; i++)
		top = bars[i].value > top ? bars[i].value : top;
	fprintf(out, "<svg class=\"bars\" viewBox=\"0 0 %d %zu\" role=\"img\">", BAR_WIDTH,
		count * BAR_HEIGHT);
	for (size_t i = 0; i < count; i++)
		put_bar(&bars[i], i, top, out);
	fputs("</svg>\n", out);
}
