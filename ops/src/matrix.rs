//! Matrix products and the fully connected layer.

use crate::graph::{Variable, record};
use crate::kernel::Element;
use crate::launch::{Kernel, launch};
use crate::shapes::{dims2, when};
use crate::{Error, Result, flop, sum_to};
use candle_core::WithDType;
use gemm::Parallelism;

/// A product of at least this many multiplications is shared among threads.
const PARALLEL: usize = 1 << 20;

/// a·b, with either operand transposed first on request: M×K and K×N → M×N. Differentiable to any order.
///
/// # Errors
/// Operands that are no matrices or whose inner lengths differ.
pub fn matmul(a: &Variable, b: &Variable, transposed: [bool; 2]) -> Result<Variable> {
    let [m, k] = oriented(dims2("matmul", a)?, transposed[0]);
    let [inner, n] = oriented(dims2("matmul", b)?, transposed[1]);
    if k != inner {
        return Err(mismatch("matmul", a, b, None));
    }
    let kernel = Product { sizes: [m, n, k], transposed };
    kernel.count();
    let y = launch(&kernel, &[a.value(), b.value()], (m, n))?;
    let (saved_a, saved_b) = (a.clone(), b.clone());
    Ok(record(y, &[a, b], move |g, needed| {
        let [ta, tb] = transposed;
        let da = || if ta { matmul(&saved_b, g, [tb, true]) } else { matmul(g, &saved_b, [false, !tb]) };
        let db = || if tb { matmul(g, &saved_a, [true, ta]) } else { matmul(&saved_a, g, [!ta, false]) };
        Ok(vec![when(needed[0], da)?, when(needed[1], db)?])
    }))
}

/// y = x·Wᵀ + b: `x` N×in, `weight` out×in (PyTorch's layout), `bias` out → N×out. Differentiable to any order.
///
/// # Errors
/// Shapes that do not fit.
pub fn linear(x: &Variable, weight: &Variable, bias: &Variable) -> Result<Variable> {
    let [n, k] = dims2("linear", x)?;
    let [out, inner] = dims2("linear", weight)?;
    if k != inner || k == 0 || bias.dims() != [out] {
        return Err(mismatch("linear", x, weight, Some(bias)));
    }
    let kernel = Product { sizes: [n, out, k], transposed: [false, true] };
    kernel.count();
    let y = launch(&kernel, &[x.value(), weight.value(), bias.value()], (n, out))?;
    let (saved_x, saved_weight) = (x.clone(), weight.clone());
    Ok(record(y, &[x, weight, bias], move |g, needed| {
        Ok(vec![
            when(needed[0], || matmul(g, &saved_weight, [false, false]))?,
            when(needed[1], || matmul(g, &saved_x, [true, false]))?,
            when(needed[2], || sum_to(g, [n, out, 1]))?,
        ])
    }))
}

fn oriented([rows, columns]: [usize; 2], transposed: bool) -> [usize; 2] {
    if transposed { [columns, rows] } else { [rows, columns] }
}

fn mismatch(operation: &'static str, a: &Variable, b: &Variable, bias: Option<&Variable>) -> Error {
    let bias = bias.map(|bias| format!(" and bias {:?}", bias.dims())).unwrap_or_default();
    Error::Operands { operation, problem: format!("{:?} does not fit {:?}{bias}", a.dims(), b.dims()) }
}

/// The product of two operands, added to the third, a row, where there is one.
pub(crate) struct Product {
    pub sizes: [usize; 3],
    pub transposed: [bool; 2],
}

impl Product {
    fn count(&self) {
        let flop = 2 * self.sizes.iter().product::<usize>() as u64;
        flop::count(flop, flop);
    }
}

impl Kernel for Product {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let [m, n, k] = self.sizes;
        let row = operands.get(2).copied();
        let mut y = match row {
            Some(row) => row.repeat(m),
            None => vec![T::default(); m * n],
        };
        let strides = |rows: usize, columns: usize, transposed: bool| {
            if transposed { (1, rows as isize) } else { (columns as isize, 1) }
        };
        let (a_row, a_column) = strides(m, k, self.transposed[0]);
        let (b_row, b_column) = strides(k, n, self.transposed[1]);
        let parallelism = if m * n * k >= PARALLEL { Parallelism::Rayon(0) } else { Parallelism::None };
        // SAFETY: the operands hold m·k and k·n elements, which `matmul` and `linear` checked, the result m·n.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                y.as_mut_ptr(),
                1,
                n as isize,
                row.is_some(),
                operands[0].as_ptr(),
                a_column,
                a_row,
                operands[1].as_ptr(),
                b_column,
                b_row,
                T::ONE,
                T::ONE,
                false,
                false,
                false,
                parallelism,
            );
        }
        y
    }
}
