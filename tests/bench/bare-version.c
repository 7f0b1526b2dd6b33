/* The yardstick of `holdback --version`: a program that links the same libraries and names them. */
#include <curl/curl.h>
#include <jansson.h>
#include <libpq-fe.h>
#include <libssh/libssh.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <yaml.h>

int main(void)
{
    printf("%d %s %s %s %s %s\n", PQlibVersion(), ssh_version(0),
           curl_version_info(CURLVERSION_NOW)->version, yaml_get_version_string(),
           jansson_version_str(), OpenSSL_version(OPENSSL_VERSION));
    return 0;
}
