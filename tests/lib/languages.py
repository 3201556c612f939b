# SPDX-License-Identifier: GPL-3.0-or-later
"""
Servers and clients in several languages, each by its own library for sockets. A server takes its port and echoes; a
client takes host and port, sends its standard input and then ends its side, and prints what comes back meanwhile.
"""
import shutil

from seam import need
from servers import ASYNC_ECHO, PYTHON

PYTHON_THREADS = """
import socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        while data := self.rfile.read1(65536):
            self.wfile.write(data)
class Server(socketserver.%s):
    allow_reuse_address, request_queue_size, daemon_threads = True, 100, True
Server(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever(0.05)
"""

PYTHON_SELECTORS = """
import selectors, socket, sys
selector = selectors.DefaultSelector()
waiting = {}
def accept(listener, _):
    connection, _ = listener.accept()
    connection.setblocking(False)
    waiting[connection] = b""
    selector.register(connection, selectors.EVENT_READ, echo)
def echo(connection, events):
    if events & selectors.EVENT_READ:
        waiting[connection] = connection.recv(65536)
        if not waiting[connection]:
            selector.unregister(connection)
            del waiting[connection]
            connection.close()
            return
    try:
        waiting[connection] = waiting[connection][connection.send(waiting[connection]):]
    except BlockingIOError:
        pass
    wanted = selectors.EVENT_WRITE if waiting[connection] else selectors.EVENT_READ
    selector.modify(connection, wanted, echo)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=100)
listener.setblocking(False)
selector.register(listener, selectors.EVENT_READ, accept)
while True:
    for key, events in selector.select():
        key.data(key.fileobj, events)
"""

# By default the primary accepts and passes the connections; else the workers accept from one listening socket.
NODE_CLUSTER = """
const cluster = require("cluster"), net = require("net");
%s
if (cluster.isPrimary) for (let i = 0; i < 2; i++) cluster.fork();
else net.createServer({ allowHalfOpen: true }, s => s.pipe(s)).listen(+process.argv[2], "127.0.0.1");
"""

NODE_ACCEPTS = "cluster.schedulingPolicy = cluster.SCHED_NONE;"

NODE_CLIENT = """
const s = require("net").connect({ host: process.argv[2], port: +process.argv[3], allowHalfOpen: true });
process.stdin.pipe(s).pipe(process.stdout);
s.on("error", e => { console.error(e); process.exit(1); });
"""

PHP_SERVER = """<?php
$listener = stream_socket_server("tcp://127.0.0.1:$argv[1]") or exit(1);
$all = [(int)$listener => $listener];
$out = [];
while (true) {
    $read = array_filter($all, fn($s) => ($out[(int)$s] ?? "") === "");
    $write = array_filter($all, fn($s) => ($out[(int)$s] ?? "") !== "");
    $except = null;
    stream_select($read, $write, $except, null);
    foreach ($read as $s) {
        if ($s === $listener) {
            $c = stream_socket_accept($listener);
            stream_set_blocking($c, false);
            $all[(int)$c] = $c;
            continue;
        }
        $data = fread($s, 65536);
        if ($data === "" || $data === false) {
            if (feof($s)) { unset($all[(int)$s], $out[(int)$s]); fclose($s); }
            continue;
        }
        $out[(int)$s] = $data;
        $write[] = $s;
    }
    foreach ($write as $s) $out[(int)$s] = substr($out[(int)$s], (int)fwrite($s, $out[(int)$s]));
}
"""

# A stream that waits, and is read as far as was written: nobody reads meanwhile.
PHP_IN_TURN = """<?php
$s = stream_socket_client("tcp://$argv[1]:$argv[2]", $number, $text, 30) or exit($text);
foreach (str_split(stream_get_contents(STDIN), 10000) as $part) {
    for ($at = 0; $at < strlen($part); $at += $n)
        if (!($n = fwrite($s, substr($part, $at)))) exit(1);
    for ($back = ""; strlen($back) < strlen($part); $back .= $got) {
        $got = fread($s, strlen($part) - strlen($back));
        if ($got === false || $got === "") exit(2);
    }
    echo $back;
}
stream_socket_shutdown($s, STREAM_SHUT_WR);
if (fread($s, 100) !== "" || !feof($s)) exit(3);
fclose($s);
"""

PHP_CLIENT = """<?php
$s = stream_socket_client("tcp://$argv[1]:$argv[2]", $number, $text, 30) or exit($text);
stream_set_blocking($s, false);
$data = stream_get_contents(STDIN);
while (!feof($s)) {
    $read = [$s];
    $write = $data === "" ? [] : [$s];
    $except = null;
    stream_select($read, $write, $except, 30) or exit("nothing for 30 s");
    if ($write) {
        $data = substr($data, (int)fwrite($s, $data));
        if ($data === "") stream_socket_shutdown($s, STREAM_SHUT_WR);
    }
    if ($read) echo fread($s, 65536);
}
"""

RUBY_THREADS = """
require "socket"
server = TCPServer.new("127.0.0.1", ARGV[0].to_i)
server.listen(100)
loop do
  Thread.new(server.accept) do |s|
    IO.copy_stream(s, s)
    s.close
  end
end
"""

RUBY_PREFORK = """
require "socket"
server = TCPServer.new("127.0.0.1", ARGV[0].to_i)
server.listen(100)
2.times { break if fork.nil? }
loop do
  IO.select([server])
  s = server.accept_nonblock(exception: false)
  next if s == :wait_readable
  begin
    while data = s.readpartial(65536) do s.write(data) end
  rescue EOFError
    s.close
  end
end
"""

RUBY_SELECT = """
require "socket"
server = TCPServer.new("127.0.0.1", ARGV[0].to_i)
server.listen(100)
waiting = {}
loop do
  readable, writable = IO.select([server] + waiting.keys.select { |s| waiting[s].size < 1 << 20 },
                                 waiting.keys.reject { |s| waiting[s].empty? })
  writable.each do |s|
    n = s.write_nonblock(waiting[s], exception: false)
    waiting[s] = waiting[s].byteslice(n..) if n.is_a?(Integer)
  end
  readable.each do |s|
    if s.equal?(server)
      new = server.accept_nonblock(exception: false)
      waiting[new] = "".b unless new == :wait_readable
      next
    end
    data = s.read_nonblock(65536, exception: false)
    if data.nil?
      s.write(waiting.delete(s))
      s.close
    elsif data != :wait_readable
      waiting[s] << data
    end
  end
end
"""

RUBY_NONBLOCKING = """
require "socket"
data = $stdin.binmode.read
s = Socket.new(:INET, :STREAM)
address = Addrinfo.getaddrinfo(ARGV[0], ARGV[1], :INET, :STREAM).first
if s.connect_nonblock(address, exception: false) == :wait_writable
  s.wait_writable
  begin
    s.connect_nonblock(address)
  rescue Errno::EISCONN
  end
end
loop do
  readable, writable = IO.select([s], data ? [s] : [])
  unless writable.empty?
    n = s.write_nonblock(data, exception: false)
    data = data.byteslice(n..) if n.is_a?(Integer)
    data = (s.close_write; nil) if data.empty?
  end
  next if readable.empty?
  part = s.read_nonblock(65536, exception: false)
  break if part.nil?
  $stdout.write(part) unless part == :wait_readable
end
s.close
"""

RUBY_CLIENT = """
require "socket"
s = TCPSocket.new(ARGV[0], ARGV[1].to_i)
writer = Thread.new { IO.copy_stream($stdin, s); s.close_write }
IO.copy_stream(s, $stdout)
writer.join
"""

JAVA = """
import java.io.*; import java.net.*; import java.nio.*; import java.nio.channels.*;

public class Net {
    public static void main(String[] a) throws Exception {
        switch (a[0]) {
        case "serve": serve(Integer.parseInt(a[1])); break;
        case "serve_async": serveAsync(Integer.parseInt(a[1])); break;
        case "serve_nio": serveNio(Integer.parseInt(a[1])); break;
        case "talk": talk(a[1], Integer.parseInt(a[2])); break;
        case "talk_nio": talkNio(a[1], Integer.parseInt(a[2])); break;
        case "http": http(a[1]); break;
        }
    }

    static void serve(int port) throws Exception {
        ServerSocket listener = new ServerSocket(port, 100, InetAddress.getByName("127.0.0.1"));
        while (true) {
            Socket s = listener.accept();
            new Thread(() -> {
                try (s) {
                    s.getInputStream().transferTo(s.getOutputStream());
                } catch (IOException e) {
                    e.printStackTrace();
                }
            }).start();
        }
    }

    static void serveNio(int port) throws Exception {
        Selector selector = Selector.open();
        ServerSocketChannel listener = ServerSocketChannel.open();
        listener.bind(new InetSocketAddress("127.0.0.1", port), 100).configureBlocking(false);
        listener.register(selector, SelectionKey.OP_ACCEPT);
        while (true) {
            selector.select();
            for (SelectionKey key : selector.selectedKeys()) {
                if (key.isAcceptable()) {
                    SocketChannel s = listener.accept();
                    if (s == null) continue;
                    s.configureBlocking(false);
                    s.register(selector, SelectionKey.OP_READ, ByteBuffer.allocateDirect(65536));
                } else {
                    echo(key, (SocketChannel) key.channel(), (ByteBuffer) key.attachment());
                }
            }
            selector.selectedKeys().clear();
        }
    }

    static void echo(SelectionKey key, SocketChannel s, ByteBuffer data) throws IOException {
        if (key.isReadable()) {
            data.clear();
            if (s.read(data) < 0) {
                s.close();
                return;
            }
            data.flip();
        }
        s.write(data);
        key.interestOps(data.hasRemaining() ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
    }

    static void serveAsync(int port) throws Exception {
        AsynchronousServerSocketChannel listener =
            AsynchronousServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", port), 100);
        listener.accept(null, new CompletionHandler<AsynchronousSocketChannel, Void>() {
            public void completed(AsynchronousSocketChannel s, Void v) { listener.accept(null, this); echo(s); }
            public void failed(Throwable e, Void v) { e.printStackTrace(); }
        });
        Thread.currentThread().join();
    }

    static void echo(AsynchronousSocketChannel s) {
        ByteBuffer data = ByteBuffer.allocateDirect(65536);
        s.read(data, false, new CompletionHandler<Integer, Boolean>() {
            public void completed(Integer n, Boolean wrote) {
                try {
                    if (!wrote && n < 0) {
                        s.close();
                        return;
                    }
                    if (!wrote) data.flip();
                    if (data.hasRemaining()) s.write(data, true, this);
                    else s.read(data.clear(), false, this);
                } catch (IOException e) {
                    e.printStackTrace();
                }
            }
            public void failed(Throwable e, Boolean wrote) { e.printStackTrace(); }
        });
    }

    static void talk(String host, int port) throws Exception {
        Socket s = new Socket(host, port);
        Thread writer = new Thread(() -> {
            try {
                System.in.transferTo(s.getOutputStream());
                s.shutdownOutput();
            } catch (IOException e) {
                e.printStackTrace();
            }
        });
        writer.start();
        s.getInputStream().transferTo(System.out);
        writer.join();
        s.close();
    }

    static void talkNio(String host, int port) throws Exception {
        ByteBuffer out = ByteBuffer.wrap(System.in.readAllBytes()), in = ByteBuffer.allocate(50000);
        WritableByteChannel print = Channels.newChannel(System.out);
        Selector selector = Selector.open();
        SocketChannel s = SocketChannel.open();
        s.configureBlocking(false);
        SelectionKey key = s.register(selector, SelectionKey.OP_CONNECT);
        s.connect(new InetSocketAddress(host, port));
        while (true) {
            selector.select();
            selector.selectedKeys().clear();
            if (key.isConnectable() && s.finishConnect())
                key.interestOps(SelectionKey.OP_READ | SelectionKey.OP_WRITE);
            if (key.isWritable()) {
                s.write(out);
                if (!out.hasRemaining()) {
                    s.shutdownOutput();
                    key.interestOps(SelectionKey.OP_READ);
                }
            }
            if (key.isReadable()) {
                in.clear();
                if (s.read(in) < 0) break;
                print.write(in.flip());
            }
        }
        System.out.flush();
        s.close();
    }

    static void http(String url) throws Exception {
        var client = java.net.http.HttpClient.newHttpClient();
        var request = java.net.http.HttpRequest.newBuilder(URI.create(url)).build();
        System.out.write(client.sendAsync(request, java.net.http.HttpResponse.BodyHandlers.ofByteArray()).get().body());
        System.out.flush();
    }
}
"""

PHP_HTTP = "<?php echo file_get_contents($argv[1]);"
NODE_FETCH = "fetch(process.argv[2]).then(r => r.arrayBuffer()).then(b => process.stdout.write(Buffer.from(b)));"
RUBY_HTTP = "require 'net/http'; $stdout.binmode; $stdout.write Net::HTTP.get(URI(ARGV[0]))"


def script(seam, program, name, text):
    need(program)
    path = seam.make_dir("script") / name
    path.write_text(text)
    return [program, path]


def java(seam, mode):
    """Compiled once for all tests of a file."""
    need("java", "javac")
    if not hasattr(seam, "java_classes"):
        seam.java_classes = seam.make_dir("java")
        (seam.java_classes / "Net.java").write_text(JAVA)
        seam.run([shutil.which("javac"), "-d", seam.java_classes, seam.java_classes / "Net.java"])
    return ["java", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-cp", seam.java_classes, "Net", mode]


# What makes each of them, with a Seam that outlives the test.
SERVERS = {
    "python-threads": lambda seam: [PYTHON, "-c", PYTHON_THREADS % "ThreadingTCPServer"],
    "python-forks": lambda seam: [PYTHON, "-c", PYTHON_THREADS % "ForkingTCPServer"],
    "python-asyncio": lambda seam: [PYTHON, "-c", ASYNC_ECHO],
    "python-selectors": lambda seam: [PYTHON, "-c", PYTHON_SELECTORS],
    "node-cluster": lambda seam: script(seam, "node", "cluster.js", NODE_CLUSTER % ""),
    "node-cluster-accepts": lambda seam: script(seam, "node", "cluster.js", NODE_CLUSTER % NODE_ACCEPTS),
    "php-select": lambda seam: script(seam, "php", "server.php", PHP_SERVER),
    "ruby-threads": lambda seam: script(seam, "ruby", "threads.rb", RUBY_THREADS),
    "ruby-select": lambda seam: script(seam, "ruby", "select.rb", RUBY_SELECT),
    "ruby-prefork": lambda seam: script(seam, "ruby", "prefork.rb", RUBY_PREFORK),
    "java-sockets": lambda seam: java(seam, "serve"),
    "java-nio": lambda seam: java(seam, "serve_nio"),
    "java-async": lambda seam: java(seam, "serve_async"),
}
CLIENTS = {
    "node": lambda seam: script(seam, "node", "client.js", NODE_CLIENT),
    "php": lambda seam: script(seam, "php", "client.php", PHP_CLIENT),
    "php-in-turn": lambda seam: script(seam, "php", "in-turn.php", PHP_IN_TURN),
    "ruby": lambda seam: script(seam, "ruby", "client.rb", RUBY_CLIENT),
    "ruby-nonblocking": lambda seam: script(seam, "ruby", "nonblocking.rb", RUBY_NONBLOCKING),
    "java-sockets": lambda seam: java(seam, "talk"),
    "java-nio": lambda seam: java(seam, "talk_nio"),
}
# They take a URL, and print what it gives.
HTTP_CLIENTS = {
    "node": lambda seam: script(seam, "node", "fetch.js", NODE_FETCH),
    "php": lambda seam: script(seam, "php", "http.php", PHP_HTTP),
    "ruby": lambda seam: script(seam, "ruby", "http.rb", RUBY_HTTP),
    "java": lambda seam: java(seam, "http"),
}
