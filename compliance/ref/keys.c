/* SPDX-License-Identifier: Apache-2.0
 *
 * The asymmetric keys of the suite. They protect nothing: they were made for tests, and are public.
 */
#include "ref/ref.h"

const char *const ref_pem[KEY_COUNT] = {
    [KEY_RSA2048] =
        "-----BEGIN PRIVATE KEY-----\n"
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC9FwfckcaE0UfN\n"
        "qMoEDUsG0aA4+V/4eXkOcPhMsy+sHfm7ZCXMo58PQ+KZ+u2WUVpcvoJcfj6c6BHX\n"
        "3zKqIFHnSaQScYb9VD2RVHF/weTs9fC/ug1swkivWPR/h8dXDsTGv9Za/L4xi9kn\n"
        "CkC9UNp8uOsKhxh4wT90lOtrv2CUARb/Mr1HmZUwRGRFKaF8DTD11i/7u3D1HVHa\n"
        "+77nk1bnQhGUc0Ox95JKfJrkCPdn8i8+FFaW47Kxxyl+JbRdRH2ZhTxn+RsdR29b\n"
        "g7vnikHQ5Nl4YoweIr2H0KVtexfzxvWwebBMcYW6KK7neIWtNndZNMb5UOcw+Asr\n"
        "e3I+qioBAgMBAAECggEAGBZheX8Wb1/rii7IwThiSNWWV/uodpIe0jCg6MBgv8e3\n"
        "wt/Qkt97CSpIKP5WmrH1VWAtYhPw7PMBJuM3ZIWmeVSfsnvEyuuaxjMgHDq6a1cv\n"
        "GnVcdXDQaonl54MH6Tan6XuRllig79XVTUxYj+VHV+EEi/xGqUdQyoyX6stfxaqf\n"
        "xeL2TpAFUniMpGFEdtqxCaE3nLzKz1cQAzuxTrQwihJabfBITpl2ECNUdA1WxDNp\n"
        "LyxbKJO+OH2oX+gQA62ibJ3jIeb5zEvI2VljrGBhs6rM1CNA2W/HRJHqrckR8Ghi\n"
        "cisVGM/zJ9VEDX2vPVsnQzDuXPKNXrq1tS1rA1ckmQKBgQDlKzRcyEmee7I7NV8p\n"
        "3YuC2Mg7hMVrgqKcqk/WQ975WDISSvoBExHN9kTkFu1Tibzj3ZXN6DMu+dxlkt0m\n"
        "ChyPIfW9tcit9opl24vL+lK14sQewS9Y0kua2PD7xER4I8pXdt1S4MJgk0+7fpGV\n"
        "WAkR8wU9WQd4pww2pshTAFkLVQKBgQDTOo7kLxW0jDCs63y9Aiz9K9eYYarsWDBO\n"
        "PcocmmXnVyJhX3AlO5FnnN1IVkpkqvpsNzgSoJZFrXbb2brnuAlfGq85hirazFKR\n"
        "C/09zja7Sh7QHwLX5VN49iGwwOi+5CtS+TcSrg4sp+KBl30zm9S2LGShiFc4j6co\n"
        "3RnHqJgb/QKBgQDKHwL92kDkIOEfy4D1YcsMSrq/k+izW/KkDqp/pjjg3mK7M5mw\n"
        "nOsVJuG38mi7Rz5sEyFvDB8ojYNPquqWBFEQBLnC6rPmiw2hrLNt4ohUl362SVjD\n"
        "FCdOmYxh4ccp1xc9cT7fPBD0MLkf+w/YEl9dj2PNqdonFd51zT/dxO7ESQKBgHM6\n"
        "9si0hvq/n641qQ7TKQfT6wFOBph4Y6HLQ37nG8BgYHkOP3eQT3pesLjNmjfgrkxq\n"
        "s0Q2JsRMJRM6bCQM2c/wFrci4i4KWOCX0cbtwB3cCYMv57UvfaH3Y9mw40d/4cKa\n"
        "AdlG6qSh0YcwxTRqRlg7T4pvfmV0uJQqSe4JozFhAoGAMYSLHR4id41gJqB6CB3F\n"
        "O6X6ybskkqQlOX/D0cYGAygHB0j7AQA4OuqquCyC7+kahdpKtrKFPxI66npZg16n\n"
        "57n3hx6ccEq19uAckhWW4MpFLHGUwP2ZwJKeMZ/6em8zlEH65LOHUdWvOlkqjynw\n"
        "HilDdzM+aaokDgF/PCAr4xE=\n"
        "-----END PRIVATE KEY-----\n",
    [KEY_EC256] =
        "-----BEGIN PRIVATE KEY-----\n"
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgiX3kMGMOxpg3rDTl\n"
        "bo0vphHj+k9zRRFiaGNCF/bO0pChRANCAAQz5NgWDz5eYWTm7rJCToFdyNCH/VMB\n"
        "sZaxE0AbF4DHnDaK+B/zNdz2ydIsncSMCso5YJBRDT+P17cwenYzBRQM\n"
        "-----END PRIVATE KEY-----\n",
    [KEY_EC384] =
        "-----BEGIN PRIVATE KEY-----\n"
        "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDDjkj8FqeUfR6n8v/Q\n"
        "j9Q3M8pG5Zn8QRKok8eIC+yjjWjoQ916IbRjEOdTRzlzLmShZANiAAS9Tw8igMaJ\n"
        "UFp3e5WlZqMx77MrCrT13C7sVP5+OKRliY8wH7+roS34EK7viy0Q3HzLDrxpiJ3E\n"
        "gRBu5NFSS8x7bw0X6wnghlOennuG2hsacN+rN1p5ac+/C2plizbC3CQ=\n"
        "-----END PRIVATE KEY-----\n",
};
