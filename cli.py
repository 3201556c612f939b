import smtplib,sys
c=smtplib.SMTP("localhost",int(sys.argv[1]),timeout=5); print(c.noop()); print(c.quit())
