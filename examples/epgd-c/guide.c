// The guide, and the EPG protocol: see protocol.go of examples/epgd.

#include "epgd.h"

#include <string.h>

enum {
	magic = 0x45504731, // "EPG1"
	found = 0,
	no_such_channel = 1,
	channels = 8,  // numbered from 1
	length = 1800 // of each programme, in seconds
};

static const char *const titles[] = {
	"News at the Hour", "The Lighthouse Keepers", "Cooking with Salt", "Night Trains",
	"A Short History of Bread", "Harbour Patrol", "The Long Meadow", "Late Film",
	"Questions, Please", "Weather for Sailors", "Repair Shop",
};

static uint64_t get(const uint8_t *bytes, int size)
{
	uint64_t n = 0;
	while (size-- > 0)
		n = n << 8 | *bytes++;
	return n;
}

static void put(uint8_t *bytes, int size, uint64_t n)
{
	while (size-- > 0) {
		bytes[size] = (uint8_t)n;
		n >>= 8;
	}
}

int parse_request(request *q, const uint8_t *bytes)
{
	q->channel = (uint16_t)get(bytes + 4, 2);
	q->at = (int64_t)get(bytes + 6, 8);
	return get(bytes, 4) == magic;
}

int answer(uint8_t *bytes, const request *q)
{
	uint64_t programme = (uint64_t)q->at / length, count = sizeof titles / sizeof titles[0];
	const char *title = titles[(programme + 3 * (uint64_t)q->channel) % count];
	memset(bytes, 0, 18);
	put(bytes, 4, magic);
	if (q->channel < 1 || q->channel > channels) {
		bytes[4] = no_such_channel;
		return 18;
	}
	bytes[4] = found;
	put(bytes + 5, 8, programme * length);
	put(bytes + 13, 4, length);
	bytes[17] = (uint8_t)strlen(title);
	memcpy(bytes + 18, title, strlen(title));
	return 18 + (int)strlen(title);
}
