// Virtual time as a peripheral sees it, and a way past long waits: whoever polls a busy flag waits, so time may pass at once.
using System.Linq;
using Antmicro.Renode.Core;
using Antmicro.Renode.Peripherals.CPU;
using Antmicro.Renode.Time;

namespace Antmicro.Renode.Peripherals.Mbs
{
    public class Waiting
    {
        public Waiting(IMachine machine)
        {
            this.machine = machine;
        }

        // Nanoseconds since the emulation began, up to the present instruction.
        public double Now
        {
            get
            {
                if(machine.SystemBus.TryGetCurrentCPU(out var cpu)) cpu.SyncTime();
                return machine.LocalTimeSource.ElapsedVirtualTime.TotalMicroseconds * 1000;
            }
        }

        // The same without the present slice of time, which is cheap to ask for.
        public double Roughly => machine.LocalTimeSource.ElapsedVirtualTime.TotalMicroseconds * 1000;

        // Lets time pass up to `end`, at most `limit` nanoseconds of it. A monitor that looks has no processor: nothing passes then.
        public void SkipTo(double end, double limit)
        {
            if(!machine.SystemBus.TryGetCurrentCPU(out var cpu) || !(cpu is BaseCPU core)) return;
            var microseconds = (ulong)(System.Math.Min(end - Now, limit) / 1000) + 1;
            core.SkipTime(TimeInterval.FromMicroseconds(microseconds));
        }

        // Where the present access comes from; null: from the monitor.
        public ulong? Pc => machine.SystemBus.TryGetCurrentCPU(out var cpu) ? cpu.PC.RawValue : (ulong?)null;

        public bool Halted => machine.SystemBus.GetCPUs().Any(cpu => cpu.IsHalted);

        private readonly IMachine machine;
    }
}
