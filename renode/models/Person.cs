// Who stands at the board when a touch is awaited: nobody, or a simulated person who touches S1 when the blue light goes on.
using Antmicro.Renode.Core;
using Antmicro.Renode.Peripherals.Miscellaneous;
using Antmicro.Renode.Time;

namespace Antmicro.Renode.Peripherals.Mbs
{
    public class MbsPerson : IGPIOReceiver
    {
        public MbsPerson(IMachine machine, Button touches)
        {
            this.machine = machine;
            this.touches = touches;
        }

        // Such touches prove nothing, so nobody is there until somebody says so.
        public bool Present { get; set; }

        public void OnGPIO(int number, bool value)
        {
            awaited = value;
            if(value && Present && !busy) Later(ReactionMs, () => { if(awaited) Touch(); });
        }

        // Presses the switch now and lets it go after a while of virtual time, whatever the light says.
        public void Touch()
        {
            touches.Press();
            Later(PressMs, touches.Release);
        }

        public void Reset()
        {
            awaited = busy = false;
        }

        private void Later(ulong milliseconds, System.Action what)
        {
            busy = true;
            machine.ScheduleAction(TimeInterval.FromMilliseconds(milliseconds), _ =>
            {
                busy = false;
                what();
            });
        }

        private const ulong ReactionMs = 300;
        private const ulong PressMs = 300;
        private bool awaited;
        private bool busy;
        private readonly IMachine machine;
        private readonly Button touches;
    }
}
