// The board's UART as a TCP port on 127.0.0.1 only: Renode's own socket terminal listens on every address of the machine.
// One client at a time, others are closed at once.
using System;
using System.Net;
using System.Net.Sockets;
using System.Threading;
using Antmicro.Migrant;
using Antmicro.Renode.Backends.Terminals;
using Antmicro.Renode.Core;
using Antmicro.Renode.Exceptions;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals.UART;

namespace Antmicro.Renode.Peripherals.Mbs
{
    public static class LoopbackTerminalExtensions
    {
        // Port 0: a free one, which the log names.
        public static void CreateLoopbackTerminal(this Emulation emulation, int port, string name)
        {
            emulation.ExternalsManager.AddExternal(new LoopbackTerminal(port), name);
        }

        // The same UART as a pty, `path` being a link to it. Empty: none.
        public static void CreatePtyIfNamed(this Emulation emulation, string path, string name, IUART uart)
        {
            if(path == "") return;
            var pty = new UartPtyTerminal(path, true);
            emulation.ExternalsManager.AddExternal(pty, name);
            pty.AttachTo(uart);
            Logger.Log(LogLevel.Info, "UART: {0}", path);
        }
    }

    [Transient]
    public class LoopbackTerminal : BackendTerminal, IDisposable
    {
        public LoopbackTerminal(int port)
        {
            listener = new TcpListener(IPAddress.Loopback, port);
            try
            {
                listener.Start();
            }
            catch(SocketException error)
            {
                throw new RecoverableException($"cannot listen on 127.0.0.1:{port}: {error.Message}");
            }
            Port = ((IPEndPoint)listener.LocalEndpoint).Port;
            new Thread(Listen) { IsBackground = true, Name = "LoopbackTerminal" }.Start();
            Logger.Log(LogLevel.Info, "UART: tcp:127.0.0.1:{0}", Port);
        }

        public int Port { get; }

        public override void WriteChar(byte value)
        {
            lock(sync)
            {
                if(stream == null) return;
                try
                {
                    stream.WriteByte(value);
                }
                catch(Exception error) when(error is System.IO.IOException || error is ObjectDisposedException)
                {
                    stream = null; // the client left; the reader notices too
                }
            }
        }

        public void Dispose()
        {
            listener.Stop();
            lock(sync) stream?.Dispose();
        }

        private void Listen()
        {
            try
            {
                while(true)
                {
                    var client = listener.AcceptTcpClient();
                    client.NoDelay = true;
                    lock(sync)
                    {
                        if(stream != null)
                        {
                            client.Close();
                            continue;
                        }
                        stream = client.GetStream();
                    }
                    new Thread(() => Serve(client)) { IsBackground = true, Name = "LoopbackTerminal client" }.Start();
                }
            }
            catch(Exception error) when(error is SocketException || error is ObjectDisposedException)
            {
                // the terminal was disposed of
            }
        }

        private void Serve(TcpClient client)
        {
            var bytes = new byte[4096];
            try
            {
                var from = client.GetStream();
                for(int count; (count = from.Read(bytes, 0, bytes.Length)) > 0;)
                    for(var i = 0; i < count; i++) CallCharReceived(bytes[i]);
            }
            catch(Exception error) when(error is System.IO.IOException || error is ObjectDisposedException)
            {
                // the client left without a word
            }
            lock(sync) stream = null;
            client.Close();
        }

        private NetworkStream stream;
        private readonly TcpListener listener;
        private readonly object sync = new object();
    }
}
