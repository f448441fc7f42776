// The one file of a program that has the code of landmark.h.
#define LANDMARK_IMPLEMENTATION
#include "../landmark.h"
