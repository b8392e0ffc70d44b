/* Every hash of gs_hash_names against its known answer, MD5 beside it, and the
 * exact list of names. */
#include "testing.h"

#include <stdlib.h>
#include <string.h>

static const struct { const char *name, *of_abc; } hashes[] = {
    { "md5", "900150983cd24fb0d6963f7d28e17f72" },
    { "sha1", "a9993e364706816aba3e25717850c26c9cd0d89d" },
    { "sha224", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7" },
    { "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "sha384", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7" },
    { "sha512", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
    { "sha512_224", "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa" },
    { "sha512_256", "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23" },
    { "sha3_224", "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf" },
    { "sha3_256", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532" },
    { "sha3_384", "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25" },
    { "sha3_512", "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
                  "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0" },
    { "blake2b", "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                 "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923" },
    { "blake2s", "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982" },
    { "ripemd160", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc" },
    { "sm3", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0" },
};
enum { HASHES = sizeof hashes / sizeof *hashes };

/* Data written as runs of one byte, or as text. */
struct run { int byte; size_t count; };

static const struct {
    const char *text;
    struct run  runs[3];
    const char *md5, *sha256, *sha512;
} answers[] = {
    { "", { { 0, 0 } }, "d41d8cd98f00b204e9800998ecf8427e",
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
      "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e" },
    { "abc", { { 0, 0 } }, "900150983cd24fb0d6963f7d28e17f72",
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", NULL },
    { "hello", { { 0, 0 } }, "5d41402abc4b2a76b9719d911017c592",
      "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
      "9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca7"
      "2323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043" },
    { "0123456789", { { 0, 0 } }, "781e5e245d69b566979b86e28d23f2c7",
      "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882", NULL },
    { NULL, { { '*', 10 } }, "3fc26dc90ab296e41bc5fc8f9a2a7d40",
      "6e9ba2d4743b72079ae971666d7e61f0587704fbcfcd4f874ebb2a6a700d4435", NULL },
    { "test content", { { 0, 0 } }, "9473fdd0d880a43c21b7778d34872157",
      "6ae8a75555209fd6c44157c0aed8016e763ff435a19cf186f76863140143ff72", NULL },
    { "dataandstuff", { { 0, 0 } }, "ccc4f1fe8cc5c486b01a4d01521c62c2",
      "f00b6d3fe8d19237ea315a6f3e7ef63625dbadd3682cfe1b4cf28f80bb066233", NULL },
    { "test content 1", { { 0, 0 } }, "6dca5ac46103656e9c1c3b5860bfbd8e",
      "3ceb5c413ee02895bf1f357a8c2cc2bec824f4d8aad13aeab69303f341c8b781", NULL },
    { "chunk00000remainder", { { 0, 0 } }, "d990432ef91afef3ad9dbf4a975d3365",
      "ba4ce1a181808824e36c914e72665313df47e74b7dc995d08166ba9119844aa5",
      "8a81ce6b80c774822b1228e45b1ab9be7853162167a136a3ba106189f502ad4e"
      "b2bf8d56d75b49187f62821bb8d0a65120b6e7b73ea2200ba29659a1e9fe7214" },
    { "I am a teapot, short and stout\n", { { 0, 0 } }, "179fa3fcf47e5433ac1d2173898f4289",
      "18467fea5c86b2b7f411ba9742dab64867e7d620669fc67bce2fe4c93eed79d4",
      "704198d8fa5d55652b968e5076bc235084db3574ee7fb1ce54d98f539f7e7339"
      "b4f5f1e3087a6c2a149285ffcd1056156ab022c6586e5cbb795fa6a1b2c8d560" },
    { "I am a bootable image, I promise", { { 0, 0 } }, "f14696001c4cde800252bc9f9bdcca5d",
      "1c04d977306f703898665a46cdf902d4d5caa49ec9c2c6f7e5a71392e5099c13", NULL },
    { NULL, { { '*', 1024 } }, "fb10c6486390bec8414be90a93dfff3b",
      "b2256110f2c4226de0008dd4382a388e033f211b617bd3237135ab1d59a722b6", NULL },
    { NULL, { { '*', 3072 } }, "55d2c0fa5b2a216a09be32a3d6f8953c",
      "5ffcb08710136bf3c7b63b42a6485202628324f5ca988d366e5e41ab2ec7f7c6", NULL },
    { NULL, { { '*', 1024 }, { 0, 1024 }, { '*', 1024 } }, "9b378e617176127a4444e320e5d960ee",
      "41e0220acaaf5e070ed2f91b379f660bc35a133488e81835c2d64f1a66e8f677", NULL },
    { NULL, { { '*', 1536 }, { 0, 1536 }, { '*', 1536 } }, "0bae534118874429dd692f957eade514",
      "15bca6138e42a2ca48733fd34c3436c2e0673e667b564846c3f342b45b16d9ef", NULL },
    { NULL, { { '*', 5120 } }, "c2e5db72bd7fd153f53ede5da5a06de3",
      "caa938e97d93065e6d5e609e8d22592c8d8d64b8117f576684bce52e8227bbcb",
      "2a3e4f58cef5d0cb4a320b2778f668549cc99a3daefab790ce7f6b9ee182970d"
      "6b016cc00f6b0245d65653da7ebd79d0c2aaedf19218d9deb6f64925d0cd7b38" },
    { NULL, { { 0, MiB } }, "b6d81b360a5672d80c27430f39153e2c",
      "30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58", NULL },
    { NULL, { { '*', 64 * KiB }, { 0, 8 * MiB }, { '*', 64 * KiB } }, "6afa2d91c0ce692a83277b5b8e4bbf8c",
      "f6220e530e5c8ccf8f3f0259c022c31ab3bd7938e49ebddcfe03c0bd58f1539e", NULL },
};

static gs_store *store;

static void check_hashes(const void *data, size_t len, const char *md5, const char *name, const char *multihash)
{
    struct source source = { .data = data, .len = len };
    gs_opts       opts = GS_OPTS_INIT;
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    opts.hash_name = name;
    if (!OK(gs_add(store, "image", len, source_read, &source, &opts, &image, ERR)))
        return;
    gs_image_get_info(image, &info);
    CHECK_STR(md5, info.checksum);
    CHECK_STR(name ? name : "", info.hash_name);
    CHECK_STR(multihash, info.multihash);
    CHECK_SIZE(len, info.size);
    OK(gs_delete(store, info.uri, NULL, ERR));
    gs_image_free(image);
}

static void names(void)
{
    const char *const *listed = gs_hash_names();
    size_t             count = 0;
    MUST(listed != NULL);
    for (; listed[count]; count++) {
        bool known = false;
        for (size_t i = 0; i < HASHES; i++)
            known = known || strcmp(hashes[i].name, listed[count]) == 0;
        check_context("gs_hash_names lists %s", listed[count]);
        CHECK(known);
        CHECK(gs_has(text("hash:%s", listed[count])));
        CHECK(count == 0 || strcmp(listed[count - 1], listed[count]) < 0);
    }
    check_context("gs_hash_names");
    CHECK_SIZE(HASHES, count);
}

static void unknown_names(void)
{
    static const char *const unknown[] = {
        "", "nope", "SHA256", "sha512-256", "shake_128", "shake_256", "md5-sha1", " sha256", "sha256 ", "sha",
    };
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        gs_opts   opts = GS_OPTS_INIT;
        gs_image *image = NULL;
        check_context("hash name \"%s\"", unknown[i]);
        opts.hash_name = unknown[i];
        FAILS(GS_UNKNOWN_HASH, gs_add(store, "image", 3, source_read, &source, &opts, &image, ERR));
        CHECK_HAS(unknown[i], failure.message);
        CHECK_INT(0, source.calls);
        CHECK(!gs_has(text("hash:%s", unknown[i])));
    }
}

int main(void)
{
    const char  *dir = new_dir();
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);

    names();
    unknown_names();
    for (size_t i = 0; i < HASHES; i++) {
        check_context("%s of abc", hashes[i].name);
        check_hashes("abc", 3, hashes[0].of_abc, hashes[i].name, hashes[i].of_abc);
    }
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        size_t      len = 0;
        uint8_t    *data = new_data(9 * MiB, ZERO_DATA);
        const char *sha512 = answers[i].sha512;
        if (answers[i].text)
            memcpy(data, answers[i].text, len = strlen(answers[i].text));
        for (int run = 0; run < 3; run++) {
            memset(data + len, answers[i].runs[run].byte, answers[i].runs[run].count);
            len += answers[i].runs[run].count;
        }
        check_context("row %zu of the known answers", i);
        check_hashes(data, len, answers[i].md5, "sha256", answers[i].sha256);
        check_hashes(data, len, answers[i].md5, NULL, "");
        if (sha512)
            check_hashes(data, len, answers[i].md5, "sha512", sha512);
        free(data);
    }

    CHECK_STR("", listing(dir));
    gs_registry_free(reg);
    return check_result();
}
