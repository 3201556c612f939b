import socket,sys
s=socket.create_server(("127.0.0.1",int(sys.argv[1])))
while True:
    c,_=s.accept()
    c.sendall(b"220 mx.test ESMTP\r\n")
    f=c.makefile("rwb")
    for line in f:
        print(line,flush=True)
        if line.startswith(b"QUIT"): f.write(b"221 bye\r\n"); f.flush(); break
        f.write(b"250 ok\r\n"); f.flush()
    c.close(); f.close()
    break
