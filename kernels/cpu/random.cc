#include "kernels/cpu/random.h"
