//! The code that the messages recommend to beginners compiles.
#![forbid(unsafe_code)]
use std::sync::Mutex;

use omniglot::{Error, Pool, Ptr, Result};
use omniglot_compile_fail::{Callback, Demo};

fn spawn(_: impl Future<Output = Result<()>> + Send + 'static) {}

async fn later() {}

fn main() {
    // These are only compiled: there is no such library.
    let _ = [strings, elements, values, unchecked, threads, tasks];
}

fn strings(demo: &mut Demo) -> Result<()> {
    demo.scope(|scope| {
        let text = scope.str(&String::from("text"))?;
        scope.put(text)?;
        let text = scope.c_str(c"text")?;
        scope.put(text)?;
        let room = scope.zeroed::<u8>(64)?;
        scope.put(room)?;
        Ok(())
    })
}

fn elements(demo: &mut Demo) -> Result<()> {
    let numbers = vec![1, 2, 3];
    demo.scope(|scope| {
        let copy = scope.copy_in(&numbers)?;
        scope.sum(copy, numbers.len() as u64)?;
        Ok(())
    })?;
    let kept = demo.alloc_slice(&numbers)?;
    demo.sum(&kept, kept.len() as u64)?;
    demo.sum(Ptr::<u8>::null().cast(), 0)?;
    demo.sum(None::<Ptr<u32>>, 0)?;
    Ok(())
}

fn values(demo: &mut Demo) -> Result<()> {
    let mut count = 0;
    demo.scope(|scope| {
        let result = scope.out::<u32>()?;
        scope.sum(result, 1)?;
        let number = scope.value(scope.read(result)?)?;
        scope.sum(Some(number), 1)?;
        scope.callback::<Callback>(|_, _| {
            count += 1;
            Ok(())
        })?;
        Ok(())
    })
}

fn unchecked(demo: &mut Demo) -> Result<()> {
    let pointer = demo.run(Ptr::null())?;
    println!("{} {:?}", demo.read_at(pointer)?, demo.read_vec(pointer, 3)?);
    let place = demo.upgrade_mut(pointer)?;
    demo.write(place, 1)?;
    let text = demo.read_string(pointer.cast(), 64)?;
    demo.put(Ptr::null())?;
    println!("{text}");
    Ok(())
}

fn threads(_: &mut Demo) -> Result<()> {
    let pool = Pool::new(4, Demo::assemble_for_tests);
    let shared = Mutex::new(Demo::assemble_for_tests()?);
    std::thread::scope(|threads| -> Result<()> {
        let job = threads.spawn(|| pool.get()?.run(Ptr::null()));
        threads.spawn(|| shared.lock().map(|demo| demo.errno()).unwrap_or(0));
        job.join().unwrap_or(Err(Error::Abandoned)).map(drop)
    })
}

fn tasks(_: &mut Demo) -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    spawn(async move {
        // A task that owns an instance may await while it holds a view of its memory.
        let text = demo.read_str(Ptr::null(), 64)?;
        later().await;
        println!("{text}");
        demo.put(Ptr::null())?;
        Ok(())
    });
    Ok(())
}
