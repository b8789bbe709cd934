/*
 * The sample application of the Azure Cloud HSM PKCS#11 integration guide, "Linux Example: Custom
 * PKCS#11 Sample Application Template": its code blocks joined, without the stray braces that stand
 * where pages broke. Not changed otherwise, and not to be changed: it has to compile and run as it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <string.h>
#include <pthread.h>
#include <ctype.h>
#include <getopt.h>
#include "dlfcn.h"
#include "pkcs11_headers/include/cryptoki.h"
#include "pkcs11_headers/include/pkcs11t.h"
CK_FUNCTION_LIST_PTR func_list = NULL;
static void *module = NULL;
#define CAVIUM_SLOT 1
unsigned long int Private = 0;
unsigned long int Public = 0;
/* This section contains the standard .h files and user credentials. "cu1:user1234" represents the username and password that are initialized to log in to Azure Cloud HSM. */
char pPin[256] = "cu1:user1234";
/* This function loads the library; here dlopen is used. */
static int inline load_lib(const char *libpath)
{
    CK_RV rv = -1;
    CK_C_GetFunctionList get_function_list;
/* loads the PKCS#11 library present in libpath */

printf("[INFO] Azure Cloud HSM - Loading PKCS#11 library.\n");
module = dlopen(libpath, RTLD_NOW);

if (!module) {
    printf("couldn't open library: %s: %s", libpath, dlerror());
    return -1;
}

/* Look up the appropriate function in library */
printf("[INFO] Azure Cloud HSM - C_GetFunctionList\n");
get_function_list = (CK_C_GetFunctionList) dlsym(module, "C_GetFunctionList");
if (!get_function_list) {
    printf("couldn't find function 'C_GetFunctionList' in library: %s: %s", libpath, dlerror());
    return -1;
}

/* Makes all PKCS#11 functions available in the form of a function list by returning func_list */
rv = (get_function_list) (&func_list);
if (rv != CKR_OK || !func_list) {
    printf("couldn't get function list: %d", (int) rv);
    return -1;
}
return rv;
}

/* This function closes the object opened by the previous application. */
static int inline lib_close()
{
    if (module)
        dlclose(module);
    return 0;
}

/* Main function */


CK_RV main_func()
{
    CK_SESSION_HANDLE session_rw = 0;
    CK_SLOT_ID slot = CAVIUM_SLOT;
    CK_FUNCTION_LIST_PTR list;
    CK_INFO info = { };
    CK_TOKEN_INFO token_info = { };
    CK_RV rv = CKR_OK;
    int n_pin = strlen(pPin);
    int s_done = 0;

    rv = (func_list->C_GetFunctionList) (&list);
    if (CKR_OK != rv) {
        printf("\nCall through function list %08lx\n", rv);
        goto clean_up;
    }

    if (memcmp(list, func_list, sizeof(*list)) != 0)
        printf("\nCall doesn't return same data as library C_GetFunctionList entry point\n");

    printf("[INFO] Azure Cloud HSM – C_Initialize\n");
    rv = (func_list->C_Initialize) (NULL);
    if (CKR_OK != rv) {
        printf("\nC_Initialize() failed with %08lx\n", rv);
        goto clean_up;
    }

    printf("[INFO] Azure Cloud HSM – C_GetInfo\n");
    rv = (func_list->C_GetInfo) (&info);
    if (CKR_OK != rv) {
        printf("\nCall through function list %08lx\n", rv);
        goto clean_up;
    }


printf("[INFO] Azure Cloud HSM – Retrieve access token, C_GetTokenInfo\n");
rv = (func_list->C_GetTokenInfo) (slot, &token_info);
if (CKR_OK != rv) {
    printf("\nCall through function list %08lx\n", rv);
    goto clean_up;
}

printf("[INFO] Azure Cloud HSM – Start session with specified token, C_OpenSession\n");
rv = (func_list->C_OpenSession) (slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session_rw);
if (CKR_OK != rv) {
    printf("\nC_OpenSession() failed with %08lx\n", rv);
    goto clean_up;
}
s_done = 1;

printf("[INFO] Azure Cloud HSM – Login with PIN, C_Login\n");
rv = (func_list->C_Login) (session_rw, CKU_USER, (CK_UTF8CHAR_PTR) pPin, n_pin);
if (CKR_OK != rv) {
    printf("[ERROR] Failed C_Login\n");
    goto clean_up;
}

/*****[INSERT CUSTOM P11 APP CODE HERE]*****/

printf("Add Your PKCS#11 Code Here\n");

/*****[END OF CUSTOM P11 APP CODE]*****/

/* Clean Up */
clean_up:
#ifdef USE_FIND_KEY
    if (s_done) {
        if (Private)
            (func_list->C_DestroyObject) (session_rw, Private);
        if (Public)
            (func_list->C_DestroyObject) (session_rw, Public);
        Public = Private = 0;
    }
#endif

if (s_done) {
    /* logout */
    rv = func_list->C_Logout(session_rw);
    if (CKR_OK != rv) {
        printf("\nC_Logout() failed with %08lx\n", rv);
    }

    /* close session */
    rv = func_list->C_CloseSession(session_rw);
    if (CKR_OK != rv) {
        printf("\nC_CloseSession() failed with %08lx\n", rv);
    }
}

/* Application Shutdown */
rv = func_list->C_Finalize(NULL);
if (CKR_OK != rv) {
    printf("\nC_Finalize() failed with %08lx\n", rv);
}
return rv;
}

int main(int argc, char *argv[])
{
    CK_RV rv = 0;
    char *username = NULL;
    char *password = NULL;
    char *libname = NULL;

char buName = FALSE;
char bPassword = FALSE;
char bLibray = FALSE;
int cmd_options = 0;

if (argc < 7) {
    printf("\nMissing arguments: The format is %s -s <username> -p <password> -l <pkcs-lib> \n\n", argv[0]);
    return 0;
}

if (argc > 7) {
    printf("\nToo many arguments: The format is %s -s <username> -p <password> -l <pkcs-lib>\n\n", argv[0]);
    return 0;
}

while ((cmd_options = getopt(argc, argv,"s:p:l:")) != -1) {
    switch (cmd_options) {
        case 's' : username = optarg;
            buName = TRUE;
            break;
        case 'p' : password = optarg;
            bPassword = TRUE;
            break;
        case 'l' : libname = optarg;
            bLibray = TRUE;
            break;
        default: printf("\nWrong arguments: The format is %s -s <username> -p <password> -l <pkcs-lib>\n\n",argv[0]);
            return 0;
    }
}

if (!buName || !bPassword || !bLibray) {
    printf("\nWrong arguments: The format is %s -s <username> -p <password> -l <pkcs-lib>> \n\n", argv[0]);
    return 0;
}

if (load_lib(libname)) {
    printf("\n Error: loading library %s\n ", libname);
    rv = 0;
    goto end;
}

if (!module) {
    printf("\n Error: module loading failure %s\n ", libname);
    rv = 0;
    goto end;
}

/* prepare the pPin with given username and password */
printf("[INFO] Azure Cloud HSM – Preparing PIN with given username and password.\n");
snprintf(pPin, sizeof(pPin), "%s:%s", username, password);

rv = main_func();
if (rv != CKR_OK) {
    printf("Error while running the tests\n");
}

end:
    lib_close();
    exit(0);
}
