// What pages_linux.c does for workers.

#pragma once

void kalam_forget_program(void);
