/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/top_screen.h"

#include "base/clock.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define REFRESH_NS NS_PER_S
#define KEY_WAIT_MS 100
#define ESCAPE 27

static volatile sig_atomic_t ended;

static void on_end(int signo)
{
	ended = signo;
}

int top_refresh(struct top_state *s, struct top_source *source, struct err *e)
{
	struct top_view *pairs = s->peers ? top_pairs(s) : NULL;
	int r = 0;

	if (source->ops->advance)
		r = source->ops->advance(source, s->views, s->view_count, e);
	if (r == 0 && source->ops->poll)
		r = source->ops->poll(source, &s->views[s->view], e);
	if (r == 0 && source->ops->poll && pairs && pairs != &s->views[s->view])
		r = source->ops->poll(source, pairs, e);
	source->ops->facts(source, &s->facts);
	return r;
}

/* ---- keys ---- */

static void take_letter(struct top_state *s, int key)
{
	size_t len = strlen(s->filter);

	if (key == ESCAPE) {
		s->filter[0] = '\0';
		s->editing = false;
	} else if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		s->editing = false;
	} else if ((key == KEY_BACKSPACE || key == 127 || key == '\b') && len) {
		s->filter[len - 1] = '\0';
	} else if (key >= ' ' && key < 127 && len + 1 < sizeof s->filter) {
		s->filter[len] = (char)key;
		s->filter[len + 1] = '\0';
	}
	s->cursor = s->first = 0;
}

static void show_view(struct top_state *s, size_t view)
{
	if (view >= s->view_count)
		return;
	s->view = view;
	s->cursor = s->first = 0;
}

static void sort_by(struct top_state *s, int step)
{
	s->order = (enum top_order)(((int)s->order + step + TOP_ORDERS) % TOP_ORDERS);
	s->cursor = s->first = 0;
}

static void move_cursor(struct top_state *s, int step)
{
	if (step < 0 && s->cursor < (size_t)-step)
		s->cursor = 0;
	else
		s->cursor += (size_t)step; /* the page moves it back to where rows are */
}

/* Those that move. */
static bool take_move(struct top_state *s, int key)
{
	switch (key) {
	case '\t':
	case KEY_RIGHT: show_view(s, (s->view + 1) % s->view_count); return true;
	case KEY_BTAB:
	case KEY_LEFT: show_view(s, (s->view + s->view_count - 1) % s->view_count); return true;
	case KEY_UP:
	case 'k': move_cursor(s, -1); return true;
	case KEY_DOWN:
	case 'j': move_cursor(s, 1); return true;
	case KEY_PPAGE: move_cursor(s, -(LINES - 5)); return true;
	case KEY_NPAGE: move_cursor(s, LINES - 5); return true;
	case KEY_HOME: s->cursor = 0; return true;
	case KEY_END: s->cursor = SIZE_MAX / 2; return true;
	default: return false;
	}
}

/* False: quit. */
static bool take_key(struct top_state *s, int key)
{
	if (s->editing) {
		take_letter(s, key);
		return true;
	}
	if (take_move(s, key))
		return true;
	if (key >= '1' && key <= '9')
		show_view(s, (size_t)(key - '1'));
	switch (key) {
	case 'q':
	case 'Q': return false;
	case 's':
	case '>': sort_by(s, 1); break;
	case 'S':
	case '<': sort_by(s, -1); break;
	case 'r': s->turned = !s->turned; break;
	case '/': s->editing = true; break;
	case 'b': s->bits = !s->bits; break;
	case ' ': s->paused = !s->paused; break;
	case 'p':
	case '\n':
	case '\r':
	case KEY_ENTER: s->peers = !s->peers; break;
	case '?':
	case 'h': s->help = !s->help; break;
	case ESCAPE:
		s->filter[0] = '\0';
		s->peers = s->help = false;
		break;
	case KEY_RESIZE: clear(); break;
	default: break;
	}
	return true;
}

/* ---- the screen ---- */

static chtype attribute_of(enum top_style style)
{
	switch (style) {
	case TOP_TABS:
	case TOP_TITLE: return A_BOLD;
	case TOP_HEAD:
	case TOP_CHOSEN: return A_REVERSE;
	case TOP_FOOT: return A_DIM;
	default: return A_NORMAL;
	}
}

static void put_lines(char *text, const enum top_style *style, unsigned height)
{
	for (unsigned i = 0; i < height && *text; i++) {
		char *end = strchr(text, '\n');

		if (end)
			*end = '\0';
		attrset((attr_t)attribute_of(style[i]));
		mvaddstr((int)i, 0, text);
		if (style[i] == TOP_CHOSEN || style[i] == TOP_HEAD)
			for (int x = getcurx(stdscr); x > 0 && x < COLS; x++)
				addch(' ');
		attrset(A_NORMAL);
		clrtoeol();
		if (!end)
			break;
		text = end + 1;
	}
}

static void draw(struct top_state *s)
{
	unsigned width = COLS < (int)TOP_WIDTH_MIN ? TOP_WIDTH_MIN : (unsigned)COLS;
	unsigned height = LINES < (int)TOP_HEIGHT_MIN ? TOP_HEIGHT_MIN : (unsigned)LINES;
	enum top_style *style = calloc(height, sizeof *style);
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (to && style)
		top_page(s, &(struct top_lines){ to, width - 1, height, style });
	if (to && fclose(to) == 0 && style)
		put_lines(text, style, (unsigned)LINES);
	free(text);
	free(style);
	refresh();
}

static void look_again(struct top_state *s, struct top_source *source)
{
	struct err e = { 0 };

	if (top_refresh(s, source, &e) < 0)
		snprintf(s->message, sizeof s->message, "%.250s", e.msg);
	else
		s->message[0] = '\0';
}

static void loop(struct top_state *s, struct top_source *source)
{
	int64_t next = 0;
	size_t view = s->view;
	bool peers = s->peers;

	while (!ended) {
		int64_t now = clock_system().monotonic_ns(NULL);
		int key;

		if (now >= next || view != s->view || peers != s->peers) { /* what was not looked at is not up to date */
			if (now >= next)
				next = now + REFRESH_NS;
			view = s->view;
			peers = s->peers;
			if (!s->paused && (now + REFRESH_NS == next || source->ops->poll))
				look_again(s, source);
			draw(s);
		}
		key = getch();
		if (key == ERR && !isatty(STDIN_FILENO))
			return;
		if (key == ERR)
			continue;
		if (!take_key(s, key))
			return;
		draw(s);
	}
}

static void catch_ends(void)
{
	struct sigaction act = { .sa_handler = on_end };

	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
}

int top_screen_run(struct top_state *s, struct top_source *source, struct err *e)
{
	SCREEN *screen;

	setlocale(LC_ALL, "");
	s->ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	set_escdelay(50);
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return err_set(e, -ENOTTY, "this terminal (TERM=%s) is not known; --once prints a page as text",
			       getenv("TERM") ? getenv("TERM") : "");
	set_term(screen);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	curs_set(0);
	timeout(KEY_WAIT_MS);
	catch_ends();
	loop(s, source);
	endwin();
	delscreen(screen);
	return 0;
}
