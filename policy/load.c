/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From text to sections. inih takes the lines apart; what it would pass over in silence (text
 * behind a section's name, names cut at 50 bytes, lines that are nothing) is seen in the reader
 * that hands it the lines, so that every line is either used or refused.
 */
#include "policy/load.h"

#include "policy/source.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One file on its way through inih. */
struct lines {
	struct loader *loader;
	const char *dir;
	const char *next, *end;
	struct place place; /* the line that inih has */
	unsigned depth;
	bool open;               /* the line has to be a key, and the handler has not seen it yet */
	struct section *section; /* NULL: keys of a section that is refused are not looked at */
	bool before_sections;
	struct place global_place; /* of this file's [global]; line 0: none yet */
};

void load_error(
	struct loader *loader, const struct place *place, const char *key, const char *format, ...)
{
	char message[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	loader->failed = true;
	errors_add(loader->errors, place != NULL ? place->file : loader->policy->source,
		place != NULL ? place->line : 0, key, "%s", message);
}

void load_no_memory(struct loader *loader)
{
	loader->failed = true;
	loader->out_of_memory = true;
}

/* A file that comes later may match the pattern. */
static void watch_directory_of(struct loader *loader, const char *path)
{
	char *dir = arena_strndup(&loader->scratch, path, (size_t)(strrchr(path, '/') + 1 - path));

	if (dir != NULL)
		watch_add(loader->watch, dir);
	else
		load_no_memory(loader);
}

static void load_include(struct lines *lines, const char *value)
{
	struct loader *loader = lines->loader;
	struct parse parse = { .arena = &loader->scratch, .dir = lines->dir };
	struct place from = lines->place;
	struct policy_list files = { 0, NULL };
	char *path = parse_resolve_path(&parse, value);
	char why[256];
	int r;

	if (path == NULL) {
		load_no_memory(loader);
		return;
	}
	if (!text_is_glob(value)) {
		load_file(loader, path, &from, lines->depth + 1);
		return;
	}
	if (loader->watch != NULL)
		watch_directory_of(loader, path);
	r = source_glob(&loader->scratch, path, &files, why, sizeof(why));
	if (r == -ENOMEM)
		load_no_memory(loader);
	else if (r < 0)
		load_error(loader, &from, "include", "found '%.200s': %s", value, why);
	for (size_t i = 0; r == 0 && i < files.count; i++)
		load_file(loader, files.items[i], &from, lines->depth + 1);
}

static const char *section_title(enum section_kind kind)
{
	static const char *const titles[] = { "", "[global]", "[profile]", "[rule]" };

	return titles[kind];
}

static unsigned section_where(enum section_kind kind)
{
	static const unsigned where[] = { 0, KEY_GLOBAL, KEY_PROFILE, KEY_RULE };

	return where[kind];
}

static void refuse_key(struct lines *lines, const char *name, const struct policy_key *key)
{
	enum section_kind kind = lines->section->kind;
	struct text_nearest nearest;
	char allowed[1024];
	struct text text;

	if (key != NULL) {
		load_error(lines->loader, &lines->place, name, "is not a key of %s, but of %s%s%s",
			section_title(kind),
			(key->where & KEY_GLOBAL) != 0    ? "[global]"
			: (key->where & KEY_PROFILE) != 0 ? "[profile]"
							  : "[rule]",
			key_is_tls(key) ? " and " : "", key_is_tls(key) ? "[rule]" : "");
		return;
	}
	text_nearest_init(&nearest, name);
	text_init(&text, allowed, sizeof(allowed));
	for (size_t i = 0; i < policy_key_count; i++) {
		if ((policy_keys[i].where & section_where(kind)) == 0)
			continue;
		text_nearest_offer(&nearest, policy_keys[i].name);
		if (policy_keys[i].parse != NULL)
			text_add(&text, "%s%s", text.len > 0 ? ", " : "", policy_keys[i].name);
	}
	if (nearest.best != NULL)
		load_error(lines->loader, &lines->place, name, "unknown key; did you mean '%s'?",
			nearest.best);
	else
		load_error(lines->loader, &lines->place, name, "unknown key, allowed in %s: %s",
			section_title(kind), allowed);
}

static void set_key(struct lines *lines, const struct policy_key *key, const char *value)
{
	struct loader *loader = lines->loader;
	struct section *section = lines->section;
	struct parse parse = {
		.arena = loader->keep, .dir = lines->dir, .key = key, .watch = loader->watch
	};
	struct place *first = &section->key_place[key_index(key)];
	uint64_t bit = (uint64_t)1 << key_index(key);
	int r;

	if ((section->set & bit) != 0 && !key->repeats) {
		load_error(loader, &lines->place, key->name, "given twice; the first is at %s:%u",
			first->file, first->line);
		return;
	}
	section->set |= bit;
	*first = lines->place;
	if (key->parse == NULL) {
		load_error(loader, &lines->place, key->name, "not supported by this build");
		return;
	}
	if (value[0] == '\0') {
		struct text text;

		text_init(&text, parse.why, sizeof(parse.why));
		key_print_allowed(key, &text);
		load_error(
			loader, &lines->place, key->name, "has no value, allowed: %s", parse.why);
		return;
	}
	r = key->parse(&parse, value, key_field(key, section->values));
	if (r == -ENOMEM)
		load_no_memory(loader);
	else if (r < 0)
		load_error(loader, &lines->place, key->name, "%s", parse.why);
	else if (key->offset == offsetof(struct key_values, include) &&
		 section->kind == SECTION_GLOBAL)
		load_include(lines, value);
}

/* inih found `name = value` in the line that it was given last. */
static int take_key(
	void *arg, const char *ini_section, const char *name, const char *value, int ini_line)
{
	struct lines *lines = arg;
	const struct policy_key *key = key_find(name);

	(void)ini_section;
	(void)ini_line;
	lines->open = false;
	if (lines->before_sections)
		load_error(lines->loader, &lines->place, name,
			"stands before the first section, allowed: [global], [profile \"NAME\"], "
			"[rule \"NAME\"]");
	if (lines->section == NULL)
		return 1;
	if (key == NULL || (key->where & section_where(lines->section->kind)) == 0)
		refuse_key(lines, name, key);
	else
		set_key(lines, key, value != NULL ? value : "");
	return 1;
}

static struct section *section_new(struct lines *lines, enum section_kind kind, const char *name)
{
	struct loader *loader = lines->loader;
	struct section *section = arena_alloc(&loader->scratch, 1, sizeof(*section));

	if (section == NULL)
		return NULL;
	section->values = arena_alloc(&loader->scratch, 1, sizeof(*section->values));
	section->key_place =
		arena_alloc(&loader->scratch, policy_key_count, sizeof(*section->key_place));
	if (section->values == NULL || section->key_place == NULL)
		return NULL;
	key_values_default(section->values);
	section->kind = kind;
	section->name = name;
	section->hash = text_hash(name, strlen(name));
	section->place = lines->place;
	return section;
}

static void check_duplicate(struct lines *lines, const struct section *section)
{
	for (const struct section *other = lines->loader->first; other != NULL; other = other->next)
		if (other->kind == section->kind && other->hash == section->hash &&
			strcmp(other->name, section->name) == 0) {
			load_error(lines->loader, &lines->place, NULL,
				"the %s \"%s\" is already at %s:%u",
				section->kind == SECTION_RULE ? "rule" : "profile", section->name,
				other->place.file, other->place.line);
			return;
		}
}

/* A section is taken even if its name is wrong, so that its keys are checked in the same go. */
static void begin_named(struct lines *lines, enum section_kind kind, const char *text, size_t len)
{
	struct loader *loader = lines->loader;
	const char *word = kind == SECTION_RULE ? "rule" : "profile";
	char *name = NULL;
	struct section *section;

	if (len >= 2 && text[0] == '"' && text[len - 1] == '"' &&
		memchr(text + 1, '"', len - 2) == NULL && len > 2 && len - 2 <= LOAD_NAME_MAX)
		name = arena_strndup(loader->keep, text + 1, len - 2);
	else
		load_error(loader, &lines->place, NULL,
			"found [%s %.*s], allowed: [%s \"NAME\"] with a name of 1 to %d bytes",
			word, len < 100 ? (int)len : 100, text, word, LOAD_NAME_MAX);
	section = section_new(lines, kind, name != NULL ? name : "");
	if (section == NULL) {
		load_no_memory(loader);
		return;
	}
	if (kind == SECTION_RULE && ++loader->rule_count == LOAD_RULES_MAX + 1)
		load_error(loader, &lines->place, NULL, "more than %d rules", LOAD_RULES_MAX);
	/* Each is held against all before it: not without a bound. */
	if (name != NULL && loader->rule_count <= LOAD_RULES_MAX)
		check_duplicate(lines, section);
	*loader->last = section;
	loader->last = &section->next;
	lines->section = section;
}

static void begin_global(struct lines *lines)
{
	if (lines->global_place.line != 0)
		load_error(lines->loader, &lines->place, NULL, "[global] is already at %s:%u",
			lines->global_place.file, lines->global_place.line);
	lines->global_place = lines->place;
	lines->section = &lines->loader->global;
}

/* `text` is what stands between the brackets. */
static void begin_section(struct lines *lines, const char *text, size_t len)
{
	static const char *const words[] = { "global", "profile", "rule" };
	size_t word_len = strcspn(text, " \t\"]");
	struct text_nearest nearest;
	char word[32];

	lines->section = NULL;
	lines->before_sections = false;
	if (word_len > len)
		word_len = len;
	snprintf(word, sizeof(word), "%.*s", word_len < 31 ? (int)word_len : 31, text);
	text += word_len;
	len -= word_len;
	text_trim(&text, &len);
	if (strcmp(word, "global") == 0 && len == 0) {
		begin_global(lines);
	} else if (strcmp(word, "profile") == 0 || strcmp(word, "rule") == 0) {
		begin_named(lines, word[0] == 'r' ? SECTION_RULE : SECTION_PROFILE, text, len);
	} else {
		text_nearest_init(&nearest, word);
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			text_nearest_offer(&nearest, words[i]);
		load_error(lines->loader, &lines->place, NULL,
			"unknown section [%s%s%.*s]%s%s%s allowed: [global], [profile \"NAME\"], "
			"[rule \"NAME\"]",
			word, len > 0 ? " " : "", len < 100 ? (int)len : 100, text,
			nearest.best != NULL ? "; did you mean '" : ",",
			nearest.best != NULL ? nearest.best : "", nearest.best != NULL ? "'?" : "");
	}
}

/* A line that begins with '['. Behind the ']' only a comment may follow. */
static void take_header(struct lines *lines, const char *text, size_t len)
{
	const char *name = text + 1, *end = name;
	bool quoted = false;
	const char *rest;
	size_t rest_len, name_len;

	while (end < text + len && (quoted || *end != ']')) {
		quoted = quoted != (*end == '"');
		end++;
	}
	if (end == text + len) {
		lines->section = NULL;
		lines->before_sections = false;
		load_error(lines->loader, &lines->place, NULL,
			"found '%.*s', a section without its ']'", len < 100 ? (int)len : 100,
			text);
		return;
	}
	name_len = (size_t)(end - name);
	text_trim(&name, &name_len);
	begin_section(lines, name, name_len);
	rest = end + 1;
	rest_len = len - (size_t)(rest - text);
	text_trim(&rest, &rest_len);
	if (rest_len > 0 && rest[0] != '#' && rest[0] != ';')
		load_error(lines->loader, &lines->place, NULL,
			"found '%.*s' behind the section, allowed: a comment",
			rest_len < 100 ? (int)rest_len : 100, rest);
}

static void finish_line(struct lines *lines)
{
	if (lines->open)
		load_error(
			lines->loader, &lines->place, NULL, "is neither a section nor KEY = VALUE");
	lines->open = false;
}

/* inih's fgets(). Sections and empty lines reach it as empty lines, keys without the blanks around
 * them. */
static char *next_line(char *buf, int size, void *arg)
{
	struct lines *lines = arg;
	const char *text = lines->next;
	const char *end = memchr(text, '\n', (size_t)(lines->end - text));
	size_t len;

	finish_line(lines);
	if (text == lines->end)
		return NULL;
	if (end == NULL)
		end = lines->end;
	lines->next = end < lines->end ? end + 1 : end;
	lines->place.line++;
	len = (size_t)(end - text);
	if (len > 0 && text[len - 1] == '\r')
		len--;
	text_trim(&text, &len);
	if (len > 0 && text[0] == '[')
		take_header(lines, text, len);
	else
		lines->open = len > 0 && text[0] != '#' && text[0] != ';';
	snprintf(buf, (size_t)size, "%.*s\n", lines->open ? (int)len : 0, text);
	return buf;
}

/* The settings are inih's globals. They are always the same, and this copy of inih is ours alone.
 */
static void set_up_inih(void)
{
	static char comments[] = "#;";

	ini_max_line = SOURCE_LINE_MAX + 8;
	ini_use_stack = false;
	ini_allow_realloc = false;
	ini_allow_multiline = false; /* indented keys are keys, as with git */
	ini_allow_no_value = false;
	ini_allow_inline_comments = true;
	ini_inline_comment_prefixes = comments;
	ini_start_comment_prefixes = comments;
	ini_stop_on_first_error = false;
}

void load_text(struct loader *loader, const char *name, const char *dir, const char *text,
	size_t len, unsigned depth)
{
	struct lines lines = {
		.loader = loader,
		.dir = dir,
		.next = text,
		.end = text + len,
		.place = { .file = name },
		.depth = depth,
		.before_sections = true,
	};

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		lines.next += 3;
	set_up_inih();
	if (ini_parse_stream(next_line, &lines, take_key, &lines) == -2)
		load_no_memory(loader);
	finish_line(&lines);
	if (lines.next != lines.end)
		load_error(loader, &lines.place, NULL, "reading stopped here");
}

static bool file_admit(struct loader *loader, const char *path, const struct source *source,
	const struct place *from)
{
	for (size_t i = 0; i < loader->file_count; i++) {
		if (loader->files[i].dev != source->dev || loader->files[i].ino != source->ino)
			continue;
		if (loader->files[i].from.file == NULL)
			load_error(loader, from, "include",
				"found '%.200s', which is the policy itself", path);
		else
			load_error(loader, from, "include",
				"found '%.200s', which is already included at %s:%u", path,
				loader->files[i].from.file, loader->files[i].from.line);
		return false;
	}
	if (loader->file_count == LOAD_FILES_MAX) {
		load_error(loader, from, "include", "more than %d files", LOAD_FILES_MAX);
		return false;
	}
	loader->bytes += source->len;
	if (loader->bytes > LOAD_BYTES_MAX) {
		load_error(loader, from, "include", "the files are longer than %zu bytes together",
			LOAD_BYTES_MAX);
		return false;
	}
	loader->files[loader->file_count].dev = source->dev;
	loader->files[loader->file_count].ino = source->ino;
	if (from != NULL)
		loader->files[loader->file_count].from = *from;
	loader->file_count++;
	return true;
}

void load_file(struct loader *loader, const char *path, const struct place *from, unsigned depth)
{
	struct source source = { .text = NULL };
	char *dir = arena_strndup(&loader->scratch, path, (size_t)(strrchr(path, '/') + 1 - path));
	char *name = arena_strdup(loader->keep, path);
	struct place at = { .file = name };
	char why[256];
	int r;

	if (dir == NULL || name == NULL) {
		load_no_memory(loader);
		return;
	}
	if (depth >= LOAD_DEPTH_MAX) {
		load_error(loader, from, "include", "files include files more than %d deep",
			LOAD_DEPTH_MAX);
		return;
	}
	if (loader->watch != NULL)
		watch_add(loader->watch, path);
	r = source_read(path, &source, why, sizeof(why), &at.line);
	if (r == -ENOMEM)
		load_no_memory(loader);
	else if (r < 0 && from != NULL && at.line == 0)
		load_error(loader, from, "include", "found '%.200s', which %s", path, why);
	else if (r < 0)
		load_error(loader, &at, NULL, "%s", why);
	else if (source.len == 0 && from == NULL)
		/* What a full disk, or an editor half way through, makes of a policy. */
		load_error(loader, &at, NULL,
			"is empty; a policy that protects nothing says so: 'default = pass' in "
			"[global]");
	else if (file_admit(loader, name, &source, from))
		load_text(loader, name, dir, source.text, source.len, depth);
	source_clear(&source);
}
