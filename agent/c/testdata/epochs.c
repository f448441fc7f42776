// epochs checks the ages of work across the end of the numbers of epochs, which a program
// reaches after months.
#define LANDMARK_IMPLEMENTATION
#include "../landmark.h"

static landmark_set marks;
static int failed;

static void want(const char *what, uint64_t got, uint64_t least, uint64_t most)
{
	if (got >= least && got <= most)
		return;
	fprintf(stderr, "%s: got %llu, want %llu to %llu\n", what, (unsigned long long)got, (unsigned long long)least, (unsigned long long)most);
	failed = 1;
}

int main(void)
{
	landmark *l = landmark_deadline(&marks, "work", 100, NULL);
	uint64_t epoch, starts[5], i, n;
	if (l == NULL)
		return 1;
	epoch = UINT64_C(1) << l->of.open.shift;
	want("epoch", epoch, l->within / 32, l->within / 16);
	starts[0] = 1;
	starts[1] = 100 * epoch;
	starts[2] = (UINT64_C(1) << 31) * epoch;
	starts[3] = (UINT64_C(1) << 32) * epoch - epoch / 2;
	starts[4] = (UINT64_C(5) << 32) * epoch - 1;
	for (i = 0; i < 5; i++) {
		uint64_t now = l->declared_at + starts[i];
		uint32_t began = landmark_epoch_(l, now);
		for (n = 0; n < 300; n++) {
			uint64_t age = n * epoch / 3;
			want("age", landmark_work_age_(l, began, now + age), age > epoch ? age - epoch : 0, age);
		}
		// The oldest is found, in its bucket and among the overdue.
		l->of.open.bucket[began % landmark_buckets_] = (uint64_t)began << 32 | 1;
		l->of.open.bucket[(began + 1) % landmark_buckets_] = (uint64_t)(uint32_t)(began + 1) << 32 | 1;
		want("oldest", landmark_oldest_(l, now + 3 * epoch), UINT64_C(1) << 32 | began, UINT64_C(1) << 32 | began);
		l->of.open.overdue = (uint64_t)(uint32_t)(began - 100) << 32 | 1;
		want("overdue", landmark_oldest_(l, now + 3 * epoch) & UINT32_MAX, (uint32_t)(began - 100), (uint32_t)(began - 100));
		memset(&l->of.open.bucket, 0, sizeof l->of.open.bucket);
		l->of.open.overdue = 0;
		want("none", landmark_oldest_(l, now), 0, 0);
	}
	return failed;
}
