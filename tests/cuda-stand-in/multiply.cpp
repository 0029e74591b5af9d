#include "multiply.h"

#include <algorithm>
#include <vector>

namespace stand_in {

namespace {

// A tile of the result that fits into registers, and the depth of the panels that make it.
constexpr size_t rows = 4, columns = 8, depth = 256;

typedef double Four __attribute__((vector_size(32), aligned(8)));

// One tile: `a` has `rows` elements per step, `b` has `columns`.
void tile(size_t k, const double* a, const double* b, double* sums) {
    Four total[rows][2] = {};
    for (size_t p = 0; p < k; p++) {
        const Four low = *reinterpret_cast<const Four*>(b + p * columns);
        const Four high = *reinterpret_cast<const Four*>(b + p * columns + 4);
        for (size_t i = 0; i < rows; i++) {
            const double factor = a[p * rows + i];
            total[i][0] += factor * low;
            total[i][1] += factor * high;
        }
    }
    for (size_t i = 0; i < rows; i++) {
        *reinterpret_cast<Four*>(sums + i * columns) = total[i][0];
        *reinterpret_cast<Four*>(sums + i * columns + 4) = total[i][1];
    }
}

}  // namespace

void multiply_add(size_t m, size_t n, size_t k, const double* a, const double* b, double* c) {
    const size_t row_tiles = (m + rows - 1) / rows, column_tiles = (n + columns - 1) / columns;
    std::vector<double> left(row_tiles * rows * std::min(k, depth)), right(columns * std::min(k, depth));
    for (size_t start = 0; start < k; start += depth) {
        const size_t steps = std::min(depth, k - start);
        for (size_t i = 0; i < row_tiles * rows; i++) {
            for (size_t p = 0; p < steps; p++) {
                left[(i / rows * steps + p) * rows + i % rows] = i < m ? a[i * k + start + p] : 0.0;
            }
        }
        for (size_t t = 0; t < column_tiles; t++) {
            for (size_t p = 0; p < steps; p++) {
                for (size_t j = 0; j < columns; j++) {
                    const size_t column = t * columns + j;
                    right[p * columns + j] = column < n ? b[(start + p) * n + column] : 0.0;
                }
            }
            for (size_t s = 0; s < row_tiles; s++) {
                double sums[rows * columns];
                tile(steps, &left[s * rows * steps], right.data(), sums);
                for (size_t i = 0; i < rows && s * rows + i < m; i++) {
                    for (size_t j = 0; j < columns && t * columns + j < n; j++) {
                        c[(s * rows + i) * n + t * columns + j] += sums[i * columns + j];
                    }
                }
            }
        }
    }
}

}  // namespace stand_in
