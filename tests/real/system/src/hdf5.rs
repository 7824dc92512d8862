//! HDF5 writes and reads a file in memory.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{Scratch, subject, tool};

omniglot::include_library!("hdf5");

subject! {
    HDF5: Hdf5 = "hdf5" from "libhdf5-dev",
    does: "writes 1000 numbers to a file in memory, and reads them",
    confirmed: "the command `h5dump` reads the file, equal",
    builder: |_input| [],
    not_sandboxed: "pkg-config does not name libsz, which its archive needs",
}

fn input() -> Result<Vec<f64>> {
    Ok((0..1000).map(|number| f64::from(number * number) / 8.0).collect())
}

/// The numbers that were read back, and the file.
type Output = (Vec<f64>, Vec<u8>);

fn run<R: Runtime>(hdf5: &mut Hdf5<R>, numbers: &Vec<f64>) -> omniglot::Result<Output> {
    hdf5.scope(|hdf5| {
        hdf5.H5open()?;
        let class = hdf5.read_H5P_CLS_FILE_ACCESS_ID_g()?;
        let double = hdf5.read_H5T_NATIVE_DOUBLE_g()?;
        let access = hdf5.H5Pcreate(class)?;
        hdf5.H5Pset_fapl_core(access, 1 << 16, false)?;
        let (name, truncate) = (hdf5.str("numbers.h5")?, 2);
        let file = hdf5.H5Fcreate(name, truncate, 0, access)?;
        let dimensions = hdf5.value(numbers.len() as u64)?;
        let space = hdf5.H5Screate_simple(1, dimensions, Ptr::null())?;
        let name = hdf5.str("numbers")?;
        let set = hdf5.H5Dcreate2(file, name, double, space, 0, 0, 0)?;
        let (from, into) = (hdf5.copy_in(numbers)?, hdf5.zeroed::<f64>(numbers.len())?);
        if file < 0 || set < 0 || hdf5.H5Dwrite(set, double, 0, 0, 0, from)? < 0 {
            return Err(Error::Misuse("HDF5 says no"));
        }
        hdf5.H5Dread(set, double, 0, 0, 0, into)?;
        hdf5.H5Fflush(file, H5F_scope_t::H5F_SCOPE_GLOBAL)?;
        let len = hdf5.H5Fget_file_image(file, Ptr::null(), 0)? as usize;
        let image = hdf5.reserve::<u8>(len)?;
        hdf5.H5Fget_file_image(file, image.as_ptr().cast(), len)?;
        hdf5.H5Dclose(set)?;
        hdf5.H5Fclose(file)?;
        Ok((hdf5.view_slice(into)?.to_vec(), hdf5.view_slice(image)?.to_vec()))
    })
}

fn confirm(numbers: &Vec<f64>, (read, file): &Output) -> Result<()> {
    ensure!(read == numbers, "what was read differs");
    let scratch = Scratch::new()?;
    let path = scratch.write("numbers.h5", file)?;
    let options = ["-y", "-w", "0", "-m", "%.17g", "-d", "/numbers", "-o"];
    let output = scratch.text("numbers.txt")?;
    tool("h5dump", &[&options[..], &[&output, &path]].concat(), &[])?;
    let text = String::from_utf8(scratch.read("numbers.txt")?)?;
    let words = text.split([',', ' ', '\n']).filter(|word| !word.is_empty());
    let expected = words.map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    ensure!(&expected == numbers, "h5dump reads {} numbers", expected.len());
    Ok(())
}
