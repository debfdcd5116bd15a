/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/rule_sockets.h"

#include "output/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rule_socket {
	struct rule_socket *next;
	struct control *control;
	char path[108];
	char account[ACCOUNT_NAME_MAX], next_account[ACCOUNT_NAME_MAX];
	bool wanted, fresh;
	struct snapshot *of; /* a reference: what `text` was made from; NULL = nothing */
	char *text;
	size_t text_len;
};

struct rule_sockets {
	struct loop *loop;
	struct snapshot_box *box;
	struct rule_socket *first;
	uint64_t dropped; /* of sockets that are closed */
};

static void forget_text(struct rule_socket *k)
{
	snapshot_unref(&k->of);
	free(k->text);
	k->text = NULL;
}

static int make_text(struct rule_socket *k, const struct snapshot *s)
{
	FILE *to = open_memstream(&k->text, &k->text_len);
	int r = 0;

	if (!to)
		return -ENOMEM;
	for (size_t i = 0; s && i < s->account_count; i++)
		if (strcmp(s->accounts[i].account->name, k->account) == 0 && account_has_rules(s->accounts[i].account))
			r = rules_lines(to, s, &s->accounts[i]);
	return fclose(to) != 0 ? -ENOMEM : r;
}

/* Made once for all who ask between two ticks: a flood of clients costs a copy each. */
static int tell(void *arg, char **ret, size_t *ret_len, struct snapshot *s)
{
	struct rule_socket *k = arg;

	if (!s || s != k->of) {
		int r;

		forget_text(k);
		r = make_text(k, s);
		if (r < 0) {
			forget_text(k);
			return r;
		}
		k->of = s ? snapshot_ref(s) : NULL;
	}
	*ret = malloc(k->text_len + 1);
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, k->text, k->text_len);
	*ret_len = k->text_len;
	return 0;
}

static struct rule_socket *find(struct rule_sockets *r, const char *path)
{
	struct rule_socket *k = r->first;

	while (k && strcmp(k->path, path) != 0)
		k = k->next;
	return k;
}

static int open_one(struct rule_sockets *r, const struct config_rules *cf, struct err *e)
{
	struct rule_socket *k = calloc(1, sizeof *k);
	struct control_teller t = { .path = cf->socket, .group = cf->socket_group, .tell = tell, .arg = k };
	int err = k ? control_open_teller(&k->control, r->loop, r->box, &t, e) : err_set(e, -ENOMEM, "no memory");

	if (err < 0) {
		free(k);
		return err;
	}
	memcpy(k->path, cf->socket, sizeof k->path);
	memcpy(k->account, cf->account->name, sizeof k->account);
	k->fresh = true;
	k->next = r->first;
	r->first = k;
	return 0;
}

int rule_sockets_open(struct rule_sockets **ret, struct loop *loop, struct snapshot_box *box, struct err *e)
{
	struct rule_sockets *r = calloc(1, sizeof *r);

	if (!r)
		return err_set(e, -ENOMEM, "no memory");
	r->loop = loop;
	r->box = box;
	*ret = r;
	return 0;
}

int rule_sockets_prepare(struct rule_sockets *r, const struct config *cf, struct err *e)
{
	for (size_t i = 0; i < cf->rules_count; i++) {
		const struct config_rules *want = &cf->rules[i];
		struct rule_socket *k;
		int err = 0;

		if (!want->socket[0])
			continue;
		k = find(r, want->socket);
		err = k ? control_set_group(k->control, want->socket_group, e) : open_one(r, want, e);
		if (err < 0) {
			rule_sockets_give_up(r);
			return err;
		}
		k = find(r, want->socket);
		k->wanted = true;
		memcpy(k->next_account, want->account->name, sizeof k->next_account);
	}
	return 0;
}

static void close_those(struct rule_sockets *r, bool (*which)(const struct rule_socket *k))
{
	for (struct rule_socket **at = &r->first; *at;) {
		struct rule_socket *k = *at;

		if (!which(k)) {
			k->wanted = k->fresh = false;
			at = &k->next;
			continue;
		}
		*at = k->next;
		r->dropped += control_dropped(k->control);
		control_close(&k->control);
		forget_text(k);
		free(k);
	}
}

static bool is_unwanted(const struct rule_socket *k)
{
	return !k->wanted;
}

static bool is_fresh(const struct rule_socket *k)
{
	return k->fresh;
}

static bool is_any(const struct rule_socket *k)
{
	return k != NULL;
}

void rule_sockets_commit(struct rule_sockets *r)
{
	for (struct rule_socket *k = r->first; k; k = k->next) {
		if (k->wanted) {
			memcpy(k->account, k->next_account, sizeof k->account);
			forget_text(k);
		}
	}
	close_those(r, is_unwanted);
}

void rule_sockets_give_up(struct rule_sockets *r)
{
	close_those(r, is_fresh);
}

uint64_t rule_sockets_dropped(const struct rule_sockets *r)
{
	uint64_t dropped = r ? r->dropped : 0;

	for (const struct rule_socket *k = r ? r->first : NULL; k; k = k->next)
		dropped += control_dropped(k->control);
	return dropped;
}

void rule_sockets_close(struct rule_sockets **r)
{
	if (!*r)
		return;
	close_those(*r, is_any);
	free(*r);
	*r = NULL;
}
