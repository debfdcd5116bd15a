/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reports/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct key {
	uint8_t id[LAYOUT_KEY_ID];
	char name[KEY_NAME_MAX];
	EVP_MAC_CTX *mac;       /* keyed once: to start anew is to copy two states */
};

struct keys {
	EVP_MAC *hmac;
	struct trafstat *trafstat;
	unsigned count;
	struct key at[KEYS_MAX];
};

int key_secret_read(struct key_secret *ret, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return err_errno(e, -errno, "%s", path);
	n = read(fd, ret->bytes, sizeof ret->bytes);
	if (n < 0) {
		err_errno(e, -errno, "%s", path);
		close(fd);
		return -EIO;
	}
	close(fd);
	if (n == (ssize_t)sizeof ret->bytes)
		return err_set(e, -EFBIG, "%s: a secret has less than %d bytes", path, KEY_SECRET_MAX);
	while (n > 0 && ret->bytes[n - 1] && strchr("\n\r \t", ret->bytes[n - 1]))
		n--;
	if (n == 0)
		return err_set(e, -EINVAL, "%s: it is empty; a secret is made by: openssl rand -hex 32 > %s", path, path);
	ret->len = (size_t)n;
	return 0;
}

void key_secret_forget(struct key_secret *s)
{
	OPENSSL_cleanse(s, sizeof *s);
}

int keys_new(struct keys **ret, struct err *e)
{
	struct keys *k = calloc(1, sizeof *k);

	if (k)
		k->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (!k || !k->hmac) {
		keys_free(&k);
		return err_set(e, -ENOMEM, "libcrypto gives no HMAC");
	}
	*ret = k;
	return 0;
}

void keys_free(struct keys **pk)
{
	struct keys *k = *pk;

	if (!k)
		return;
	for (unsigned i = 0; i < k->count; i++)
		EVP_MAC_CTX_free(k->at[i].mac);
	EVP_MAC_free(k->hmac);
	trafstat_close(&k->trafstat);
	free(k);
	*pk = NULL;
}

static bool sign(EVP_MAC_CTX *mac, struct slice bytes, uint8_t ret[static LAYOUT_SIGNATURE])
{
	size_t len;

	return EVP_MAC_init(mac, NULL, 0, NULL) == 1 && EVP_MAC_update(mac, bytes.at, bytes.len) == 1 &&
	       EVP_MAC_final(mac, ret, &len, LAYOUT_SIGNATURE) == 1 && len == LAYOUT_SIGNATURE;
}

int keys_add(struct keys *k, const char *name, struct slice secret, struct err *e)
{
	static const uint8_t label[] = LAYOUT_KEY_LABEL;
	char sha256[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0), OSSL_PARAM_construct_end() };
	uint8_t id[LAYOUT_SIGNATURE];
	struct key *key = &k->at[k->count];

	if (k->count == KEYS_MAX)
		return err_set(e, -E2BIG, "more than %d keys", KEYS_MAX);
	key->mac = EVP_MAC_CTX_new(k->hmac);
	if (!key->mac || EVP_MAC_init(key->mac, secret.at, secret.len, params) != 1 ||
	    !sign(key->mac, (struct slice){ label, sizeof label - 1 }, id)) {
		EVP_MAC_CTX_free(key->mac);
		return err_set(e, -ENOMEM, "libcrypto takes no key for HMAC-SHA-256");
	}
	memcpy(key->id, id, sizeof key->id);
	if (keys_find(k, key->id) >= 0) {
		EVP_MAC_CTX_free(key->mac);
		return 0;
	}
	strncpy(key->name, name, sizeof key->name - 1);
	k->count++;
	return 0;
}

int keys_set_trafstat(struct keys *k, struct slice secret, struct err *e)
{
	return trafstat_open(&k->trafstat, secret, e);
}

int keys_find(const struct keys *k, const uint8_t id[static LAYOUT_KEY_ID])
{
	for (unsigned i = 0; i < k->count; i++)
		if (memcmp(k->at[i].id, id, LAYOUT_KEY_ID) == 0)
			return (int)i;
	return -ENOENT;
}

const char *keys_name(const struct keys *k, unsigned index)
{
	return k->at[index].name;
}

bool keys_verify(struct keys *k, unsigned index, struct slice signed_part, const uint8_t signature[static LAYOUT_SIGNATURE])
{
	uint8_t right[LAYOUT_SIGNATURE];

	return sign(k->at[index].mac, signed_part, right) && CRYPTO_memcmp(right, signature, sizeof right) == 0;
}

struct trafstat *keys_trafstat(struct keys *k)
{
	return k->trafstat;
}

unsigned keys_count(const struct keys *k)
{
	return k->count;
}
