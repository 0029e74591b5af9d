// Products of matrices in double precision.
#pragma once
#include <cstddef>

namespace stand_in {

// c += a b, of row-major matrices of m x k, k x n and m x n elements without gaps.
void multiply_add(size_t m, size_t n, size_t k, const double* a, const double* b, double* c);

}  // namespace stand_in
