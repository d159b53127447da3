// The planets under their own gravitation: scalar doubles with divisions and square roots.
#include <math.h>

#include "mark.h"

enum { kBodies = 5 };

static struct Body {
  double x, y, z, vx, vy, vz, mass;
} bodies[kBodies];

static void advance(double dt) {
  for (int i = 0; i < kBodies; ++i)
    for (int j = i + 1; j < kBodies; ++j) {
      const double dx = bodies[i].x - bodies[j].x, dy = bodies[i].y - bodies[j].y, dz = bodies[i].z - bodies[j].z;
      const double squared = dx * dx + dy * dy + dz * dz;
      const double magnitude = dt / (squared * sqrt(squared));
      bodies[i].vx -= dx * bodies[j].mass * magnitude;
      bodies[i].vy -= dy * bodies[j].mass * magnitude;
      bodies[i].vz -= dz * bodies[j].mass * magnitude;
      bodies[j].vx += dx * bodies[i].mass * magnitude;
      bodies[j].vy += dy * bodies[i].mass * magnitude;
      bodies[j].vz += dz * bodies[i].mass * magnitude;
    }
  for (int i = 0; i < kBodies; ++i) {
    bodies[i].x += dt * bodies[i].vx;
    bodies[i].y += dt * bodies[i].vy;
    bodies[i].z += dt * bodies[i].vz;
  }
}

int main(int argc, char** argv) {
  const long n = size_from(argc, argv);
  for (int i = 0; i < kBodies; ++i) {
    const double r = 1.0 + 4.0 * i;
    bodies[i] = (struct Body){r, 0.3 * i, 0.1 * r, 0.01 * i, i ? 6.2 / sqrt(r) : 0.0, 0.02 * r, i ? 0.001 * i : 39.47};
  }
  start();
  for (long i = 0; i < n; ++i) advance(0.001);
  stop();
  uint64_t hash = 0;
  for (int i = 0; i < kBodies; ++i) {
    uint64_t bits;
    memcpy(&bits, &bodies[i].x, 8);
    hash = mix(hash, bits);
  }
  return result(hash);
}
